"""Calls to a platform, with errors that name no address: addresses hold tokens."""

from __future__ import annotations

import json
import os
import ssl
from typing import Any

import httpx

from alert_relay.config import Config, ConfigError
from alert_relay.errors import Unreachable

_TIMEOUT_SECONDS = 10.0
_LONGEST_WAIT_SECONDS = 3600.0


def make_client(config: Config) -> httpx.Client:
    """Return a client that trusts the host's certificate authorities and those of ``ca_file``.

    Raises:
        ConfigError: ``ca_file`` cannot be used.
    """
    context = ssl.create_default_context()
    if config.ca_file:
        try:
            context.load_verify_locations(config.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"{config.ca_file} (alert_relay_extra_ca_certificates): {error}") from None
    if config.proxy:
        # The argument for a proxy has changed its name between httpx's versions; the environment is the same.
        os.environ.update(HTTPS_PROXY=config.proxy, HTTP_PROXY=config.proxy, NO_PROXY="127.0.0.1,localhost")
    return httpx.Client(verify=context, timeout=_TIMEOUT_SECONDS)


def post(client: httpx.Client, url: str, body: bytes) -> httpx.Response:
    """Post a JSON body.

    Raises:
        Unreachable: there was no answer; whether the platform got the message is not known then.
    """
    try:
        return client.post(url, content=body, headers={"Content-Type": "application/json; charset=utf-8"})
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        # The text of the error may quote the address.
        raise Unreachable(f"no answer ({type(error).__name__})", _remedy(error)) from None


def _remedy(error: BaseException) -> str:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "its certificate is not trusted: name your authority in alert_relay_extra_ca_certificates"
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)):
        return "see that this host reaches the internet, or set alert_relay_http_proxy"
    return ""


def document_of(response: httpx.Response) -> dict[str, Any]:
    """Return the answer's JSON object, an empty one when it is something else."""
    try:
        document = json.loads(response.content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def wait_of(response: httpx.Response) -> float | None:
    """Return the seconds that the answer's headers ask to wait, at most an hour; None without any.

    Retry-After is RFC 9110's (its form as a date is not read), x-ogw-ratelimit-reset is Feishu's.
    """
    for name in ("x-ogw-ratelimit-reset", "retry-after"):
        text = response.headers.get(name, "")
        if text.isdigit() and int(text) > 0:
            return min(float(text), _LONGEST_WAIT_SECONDS)
    return None
