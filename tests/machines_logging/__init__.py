"""Logs of a deployed machine, searched for in a real Elasticsearch."""
