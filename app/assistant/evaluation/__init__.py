"""Evaluation: how good a model's answers are, and how sure that is (docs/evaluation.md)."""


class EvaluationError(Exception):
    """An evaluation cannot be made; the text says what is wrong, where, and what to do."""


class OtherRunError(EvaluationError):
    """A file of results is of another run, and was left as it is."""
