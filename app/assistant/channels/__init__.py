"""Channels: each knows one platform and nothing of models."""
