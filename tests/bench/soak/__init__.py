"""``make soak-inference``: the assistant's container under a memory limit."""
