"""What the logs promise: no secrets, and the same result by Logstash and by Elasticsearch."""
