"""``make bench-ack``: how soon a webhook is acknowledged while the model is busy."""
