"""Errors as JSON: ``{"error": {"code": ..., "message": ...}}``."""

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from assistant.logs import Log

log = Log(__name__)


class Refused(Exception):
    """A request that is refused; ``message`` says what is wrong without quoting the request."""

    def __init__(self, status: int, code: str, message: str, retry_after: int = 0) -> None:
        """Remember the HTTP ``status``, a ``code`` for programs and a ``message`` for people.

        ``retry_after`` is after how many seconds another try may work, where that is known.
        """
        super().__init__(code)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after


def _answer(status: int, code: str, message: str) -> Response:
    response = jsonify(error={"code": code, "message": message})
    response.status_code = status
    g.refusal = code
    return response


def _route() -> str:
    """Return the path without what stands in it: its variable parts may be somebody's."""
    return request.url_rule.rule if request.url_rule is not None else ""


def install(app: Flask) -> None:
    """Make ``app`` answer all errors as JSON and log them."""

    @app.errorhandler(Refused)
    def refused(error: Refused) -> Response:
        response = _answer(error.status, error.code, error.message)
        if error.retry_after:
            response.headers["Retry-After"] = str(error.retry_after)
        return response

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        status = error.code or 500
        response = _answer(status, error.name.lower().replace(" ", "_"), error.name)
        for name, value in error.get_headers():
            if name in {"Allow", "Retry-After", "Location"}:
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def fault(error: Exception) -> Response:
        del error
        log.exception("fault while answering a request", method=request.method, route=_route())
        return _answer(500, "internal_error", "Internal Server Error")

    @app.after_request
    def note(response: Response) -> Response:
        if response.status_code >= 400 and response.status_code != 404:
            log.info(
                "request refused",
                status=response.status_code,
                code=g.get("refusal", ""),
                method=request.method,
                route=_route(),
            )
        return response
