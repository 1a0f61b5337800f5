"""Helpers that keep a hand from writing what is already written elsewhere."""
