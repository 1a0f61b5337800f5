"""Logs in a real Elasticsearch: see docs/elasticsearch.md."""
