"""Evaluation: how good a model's answers are, and how sure that is (docs/evaluation.md)."""


class EvaluationError(Exception):
    """An evaluation cannot be made; the text says what is wrong, where, and what to do."""
