"""``make demo``: from this machine to a conversation with a freshly deployed assistant."""
