"""Counting requests: what came in by each channel, how soon it was acknowledged, how all were answered."""

from flask import Flask, Response, g, request

from assistant.metrics import Metrics
from assistant.metrics.labels import ERROR, IGNORED, LIMITED, REJECTED, code_of

# The routes by which messages come, and the platform each belongs to.
INTAKE = {
    "feishu.webhook": "feishu",
    "telegram.webhook": "telegram",
    "web_chat.send": "web_chat",
    "api.completions": "api",
}
# Health checks and scrapes: a process that still loads its model is not failing anybody.
OF_OPERATORS = "health."


def _outcome(status: int) -> str:
    """Return what became of a message whose request ended with ``status`` and that was not stored."""
    if status >= 500:
        return ERROR
    if status == 429:
        return LIMITED
    return REJECTED if status >= 400 else IGNORED


def install(app: Flask, metrics: Metrics) -> None:
    """Make ``app`` count its requests in ``metrics``."""

    @app.before_request
    def begin() -> None:
        platform = INTAKE.get(request.endpoint or "")
        if platform is not None and request.method == "POST":
            g.arrival = metrics.arrival(platform).__enter__()

    @app.after_request
    def count(response: Response) -> Response:
        if not (request.endpoint or "").startswith(OF_OPERATORS):
            metrics.http_responses.labels(code_of(response.status_code)).inc()
        if (arrival := g.pop("arrival", None)) is not None:
            arrival.end(_outcome(response.status_code))
        return response
