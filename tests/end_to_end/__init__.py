"""Checks of a deployed machine, from outside."""
