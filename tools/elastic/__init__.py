"""Real parts of the Elastic stack for tests, from package registries: see docs/elasticsearch.md."""
