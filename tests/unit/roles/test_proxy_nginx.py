from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.roles.playbook import render

DOMAIN = {"proxy_domain": "assistant.example.org", "proxy_tls_mode": "self_signed"}
WITH_REPORTS = {
    **DOMAIN,
    "proxy_reports_directory": "/srv/reports",
    "proxy_reports_user": "operators",
    "proxy_reports_password": "0123456789abcdef",
}
WITH_GRAFANA = {**DOMAIN, "proxy_grafana_upstream": "127.0.0.1:3000"}
WITH_KIBANA = {
    **DOMAIN,
    "proxy_kibana_upstream": "127.0.0.1:5601",
    "proxy_kibana_ca_certificate": "/etc/ai-assistant-elk/pki/ca.crt",
}
CHANGED_KNOBS = {
    **DOMAIN,
    "proxy_subject_alt_names": ["203.0.113.7", "2001:db8::7", "www.example.org"],
    "proxy_http_port": 8080,
    "proxy_https_port": 8443,
    "proxy_hsts_seconds": 0,
    "proxy_max_body": "2m",
    "proxy_telegram_webhook_path": "/telegram/other",
    "proxy_upstream": "127.0.0.1:9000",
    "proxy_rate_chat": "30r/m",
    "proxy_metrics_port": 9101,
    "proxy_metrics_allowed": ["203.0.113.8", "2001:db8::8"],
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> str:
    return render(tmp_path_factory.mktemp("plain"), "proxy", "nginx.conf.j2", DOMAIN)


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> str:
    return render(tmp_path_factory.mktemp("changed"), "proxy", "nginx.conf.j2", CHANGED_KNOBS)


def locations(text: str) -> dict[str, str]:
    return dict(re.findall(r"^ +location ([^{]+?) \{\n(.*?)\n +\}$", text, flags=re.DOTALL | re.MULTILINE))


def test_only_named_paths_are_passed_on(plain: str) -> None:
    passed = {path for path, body in locations(plain).items() if "proxy_pass" in body}
    assert passed == {
        "= /feishu/webhook",
        "= /telegram/webhook",
        "/v1/",
        "/chat/",
        "= /",
        "/static/",
        "= /healthz",
        "= /openapi.json",
    }


def test_every_path_for_people_and_platforms_is_limited(plain: str) -> None:
    limited = {path for path, body in locations(plain).items() if "limit_req" in body}
    assert limited >= {"= /feishu/webhook", "= /telegram/webhook", "/v1/", "/chat/", "= /"}


def test_no_location_drops_the_security_headers(plain: str) -> None:
    # nginx inherits add_header only where a location has none of its own.
    assert plain.count("add_header") > 5
    assert not [path for path, body in locations(plain).items() if "add_header" in body]


def test_the_log_has_no_query_string(plain: str) -> None:
    log_format = plain[plain.index("log_format") : plain.index("access_log")]
    assert "$uri" in log_format
    for name in ("$request ", "$request_uri", "$args", "$http_", "$query_string"):
        assert name not in log_format


def test_an_address_among_the_names_keeps_the_handshake_of_the_default_server(
    plain: str, changed: str
) -> None:
    assert "ssl_reject_handshake on" in plain
    assert "ssl_reject_handshake" not in changed


def test_changed_knobs_arrive(changed: str) -> None:
    assert "server_name assistant.example.org 203.0.113.7 [2001:db8::7] www.example.org;" in changed
    assert "return 301 https://$host:8443$request_uri;" in changed
    assert "Strict-Transport-Security" not in changed.replace(
        "proxy_hide_header Strict-Transport-Security", ""
    )
    for piece in ("listen [::]:8443 ssl", "client_max_body_size 2m;", "= /telegram/other {", "rate=30r/m;"):
        assert piece in changed
    assert "server 127.0.0.1:9000;" in changed


def test_metrics_are_for_the_monitoring_host_alone_and_only_where_asked_for(plain: str, changed: str) -> None:
    assert "metrics" not in plain.replace("readiness and metrics are not", "")
    server = changed[changed.index("listen 9101 default_server") :]
    assert re.findall(r"(allow|deny) (.+);", server) == [
        ("allow", "203.0.113.8"),
        ("allow", "2001:db8::8"),
        ("deny", "all"),
    ]
    passed = {path for path, body in locations(server).items() if "proxy_pass" in body}
    assert passed == {"= /metrics"}


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed on this controller")
@pytest.mark.parametrize(
    "knobs",
    [DOMAIN, CHANGED_KNOBS, WITH_GRAFANA, WITH_KIBANA, WITH_REPORTS],
    ids=["plain", "changed", "grafana", "kibana", "reports"],
)
def test_nginx_takes_it(tmp_path: Path, knobs: dict[str, object]) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += [
        "-keyout",
        str(tmp_path / "server.key"),
        "-out",
        str(tmp_path / "server.crt"),
        "-subj",
        "/CN=x",
    ]
    subprocess.run(command, check=True, capture_output=True)
    text = render(tmp_path, "proxy", "nginx.conf.j2", {**knobs, "_proxy_tls": str(tmp_path)})
    configuration = tmp_path / "nginx.conf"
    text = text.replace("/var/log/nginx", str(tmp_path)).replace("/run/", f"{tmp_path}/")
    configuration.write_text(text.replace("/etc/ai-assistant-elk/pki/ca.crt", str(tmp_path / "server.crt")))
    done = subprocess.run(
        ["nginx", "-t", "-c", str(configuration), "-e", str(tmp_path / "error.log")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def with_grafana(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return locations(render(tmp_path_factory.mktemp("grafana"), "proxy", "nginx.conf.j2", WITH_GRAFANA))


def test_grafana_is_passed_on_only_where_it_is_named(plain: str, with_grafana: dict[str, str]) -> None:
    assert "grafana" not in plain
    for path in ("/grafana/", "= /grafana/login"):
        # The path stays as it is: Grafana serves from the same one.
        assert "proxy_pass http://127.0.0.1:3000;" in with_grafana[path]
        assert "limit_req" in with_grafana[path]
    assert "zone=grafana_login" in with_grafana["= /grafana/login"]
    assert "return 404;" in with_grafana["= /grafana/metrics"]


def test_grafana_keeps_the_security_headers_and_its_own_policy(with_grafana: dict[str, str]) -> None:
    for path in ("/grafana/", "= /grafana/login"):
        for header in ("Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options"):
            assert f"add_header {header} " in with_grafana[path]
            assert f"proxy_hide_header {header};" in with_grafana[path]
        assert "Content-Security-Policy" not in with_grafana[path]


def test_grafana_can_hold_a_web_socket_and_is_told_the_client(with_grafana: dict[str, str]) -> None:
    body = with_grafana["/grafana/"]
    for name, value in (
        ("Upgrade", "$http_upgrade"),
        ("Connection", "$grafana_connection"),
        ("Host", "$http_host"),
        ("X-Forwarded-For", "$remote_addr"),
    ):
        assert f"proxy_set_header {name} {value};" in body


@pytest.fixture(scope="module")
def with_kibana(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return locations(render(tmp_path_factory.mktemp("kibana"), "proxy", "nginx.conf.j2", WITH_KIBANA))


def test_kibana_is_passed_on_only_where_it_is_named_and_its_certificate_is_looked_at(
    plain: str, with_kibana: dict[str, str]
) -> None:
    assert "kibana" not in plain
    for path in ("/kibana/", "= /kibana/internal/security/login"):
        body = with_kibana[path]
        # The path stays as it is: Kibana takes it off itself.
        assert "proxy_pass https://127.0.0.1:5601;" in body
        assert "proxy_ssl_verify on;" in body and "proxy_ssl_name kibana;" in body
        assert "proxy_ssl_trusted_certificate /etc/ai-assistant-elk/pki/ca.crt;" in body
        assert "limit_req zone=kibana" in body
        assert "add_header Strict-Transport-Security" in body and "Content-Security-Policy" not in body
    assert "return 404;" in with_kibana["= /kibana/api/status"]
