"""Tests of the end-to-end checks."""
