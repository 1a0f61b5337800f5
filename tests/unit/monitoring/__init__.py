"""The rules of Prometheus: right syntax, tested by promtool, explained in both languages."""
