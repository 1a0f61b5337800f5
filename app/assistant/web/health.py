"""/healthz, /readyz and /metrics; the proxy does not show the last two to the outside."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest


def blueprint(
    alive: Callable[[], bool], readiness: Callable[[], dict[str, bool]], registry: CollectorRegistry
) -> Blueprint:
    """Return the blueprint.

    Args:
        alive: whether all background threads run.
        readiness: the parts that must be ready, by name.
        registry: what /metrics shows.
    """
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        good = alive()
        response = jsonify(status="ok" if good else "failing")
        response.status_code = 200 if good else 503
        return response

    @routes.get("/readyz")
    def readyz() -> Response:
        parts = readiness()
        response = jsonify(status="ready" if all(parts.values()) else "not ready", parts=parts)
        response.status_code = 200 if all(parts.values()) else 503
        return response

    @routes.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return routes
