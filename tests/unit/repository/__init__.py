"""Checks of the repository itself: what no linter knows, but a reader or an operator relies on.

A module named for a subject (``roles``, ``documents``, ...) has functions that take a folder and return the
problems found there, one sentence each; the ``test_`` module beside it runs them on this repository and on
broken samples.
"""
