"""Who may say what a request's id is, and who asks."""

from ipaddress import ip_network

import pytest
from flask import Blueprint, jsonify, request
from flask.testing import FlaskClient

from assistant import correlation
from assistant.metrics import Metrics
from assistant.web.factory import make_app

PROXY = "172.18.0.1"
ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def client() -> FlaskClient:
    routes = Blueprint("echo", __name__)

    @routes.get("/echo")
    def echo() -> object:
        return jsonify(id=correlation.current(), client=request.remote_addr, secure=request.is_secure)

    networks = [ip_network("172.16.0.0/12"), ip_network("fd00::/8")]
    return make_app([routes], Metrics(), 1000, networks).test_client()


def ask(
    client: FlaskClient, peer: str, request_id: str, path: str = "/echo"
) -> tuple[dict[str, object], str]:
    headers = {"X-Request-ID": request_id, "X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    answer = client.get(path, headers=headers, environ_base={"REMOTE_ADDR": peer})
    return answer.get_json(), answer.headers["X-Request-ID"]


@pytest.mark.parametrize("peer", [PROXY, f"::ffff:{PROXY}", "fd00::1"])
def test_the_proxy_is_believed(client: FlaskClient, peer: str) -> None:
    assert ask(client, peer, ID) == ({"id": ID, "client": "203.0.113.7", "secure": True}, ID)


@pytest.mark.parametrize("peer", ["198.51.100.9", "2001:db8::1"])
def test_others_are_not(client: FlaskClient, peer: str) -> None:
    said, shown = ask(client, peer, ID)
    assert (said["client"], said["secure"]) == (peer, False)
    assert said["id"] == shown != ID
    assert correlation.is_id(shown)


@pytest.mark.parametrize(
    "odd", ["", "x", ID.upper(), ID + "0", f"{ID},{ID}", "a" * 5000, '"}{"a":"b' + ID[9:]]
)
def test_what_is_no_id_is_replaced_by_one(client: FlaskClient, odd: str) -> None:
    said, shown = ask(client, PROXY, odd)
    assert said["id"] == shown != odd
    assert correlation.is_id(shown)


def test_refusals_have_an_id_too(client: FlaskClient) -> None:
    assert ask(client, PROXY, ID, "/nowhere")[1] == ID
