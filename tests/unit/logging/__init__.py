"""What stores logs: files that agree with each other and with what is written."""
