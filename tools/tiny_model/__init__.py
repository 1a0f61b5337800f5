"""A tiny stand-in model."""
