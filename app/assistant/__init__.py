"""A chat assistant whose language model runs on the same machine."""

__version__ = "0.1.0"
