"""Putting the Flask application together."""

from collections.abc import Iterable

from flask import Blueprint, Flask, Response
from werkzeug.middleware.proxy_fix import ProxyFix

from assistant.metrics import Metrics
from assistant.web import counting, errors
from assistant.web.proxy import FromProxy, Networks


def make_app(
    blueprints: Iterable[Blueprint], metrics: Metrics, max_body_bytes: int, proxies: Networks
) -> Flask:
    """Return the application with ``blueprints``; bodies above ``max_body_bytes`` are refused with 413.

    What the proxy says about a request is believed if it comes from an address in ``proxies``.
    """
    # No static folder: the web chat serves its own files.
    app = Flask("assistant", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask types the base class
    # First: what a blueprint does before a request belongs to the time that is measured.
    counting.install(app, metrics)
    errors.install(app)
    for routes in blueprints:
        app.register_blueprint(routes)

    @app.after_request
    def never_sniff(response: Response) -> Response:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response

    # One proxy stands before this: it knows whether the browser speaks TLS.
    app.wsgi_app = FromProxy(ProxyFix(app.wsgi_app, x_for=1, x_proto=1), proxies)  # type: ignore[method-assign]  # Flask's own recipe
    return app
