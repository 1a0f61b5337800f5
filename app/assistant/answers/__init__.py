"""Answers that are there without the model: pinned ones, and those that were given before."""
