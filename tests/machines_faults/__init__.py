"""Accidents while a host is hardened: it stays reachable, says why, and the next run repairs it."""
