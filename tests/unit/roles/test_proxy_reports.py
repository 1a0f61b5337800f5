"""The reports behind nginx: with the password alone, and no way to other files."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.app.process import free_port, until
from tests.unit.repository.project import ROOT
from tests.unit.roles.playbook import render, run_tasks
from tests.unit.roles.test_proxy_nginx import DOMAIN, WITH_REPORTS

PASSWORD = str(WITH_REPORTS["proxy_reports_password"])
GOOD = ("operators", PASSWORD)

pytestmark = pytest.mark.skipif(
    shutil.which("nginx") is None, reason="nginx is not installed on this controller"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("reports")
    pages = made / "pages"
    pages.mkdir()
    (pages / "2026-03.html").write_text("<!doctype html><title>模型评估</title>", encoding="utf-8")
    (pages / "2026-03.json").write_text('{"month": "2026-03"}')
    (pages / "index.html").write_text("<!doctype html><title>all</title>")
    (made / "secret.json").write_text("secret")
    (pages / "way-out.json").symlink_to(made / "secret.json")
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[httpx.Client]:
    """nginx as the role configures it, as root, with its files in ``folder``."""
    ports = free_port(), free_port()
    values = {
        **WITH_REPORTS,
        "proxy_reports_directory": str(folder / "pages"),
        "proxy_http_port": ports[0],
        "proxy_https_port": ports[1],
        "_proxy_tls": str(folder),
        "_proxy_reports_passwords": str(folder / "passwords"),
    }
    role = {"name": str(ROOT / "roles" / "proxy"), "tasks_from": "reports"}
    with contextlib.suppress(FileNotFoundError):
        (folder / "passwords").unlink()
    task = {"ansible.builtin.include_role": role}
    run_tasks(folder, [task], values)
    first = (folder / "passwords").read_text()
    assert "changed=0" in run_tasks(folder, [task], values), "a second run changes nothing"
    assert (folder / "passwords").read_text() == first and PASSWORD not in first
    assert (folder / "passwords").stat().st_mode & 0o777 == 0o640
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-subj", "/CN=assistant.example.org", "-keyout", str(folder / "server.key")]
    subprocess.run([*command, "-out", str(folder / "server.crt")], check=True, capture_output=True)
    text = render(folder, "proxy", "nginx.conf.j2", values)
    for before, after in (
        ("/var/log/nginx", str(folder)),
        ("/run/", f"{folder}/"),
        ("user www-data;", "user root;"),
    ):
        text = text.replace(before, after)
    (folder / "nginx.conf").write_text(text)
    process = subprocess.Popen(
        ["nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "e.log"), "-g", "daemon off;"]
    )
    base = f"https://127.0.0.1:{ports[1]}"
    # What it is called by, not what it is reached by.
    client = httpx.Client(base_url=base, verify=False, trust_env=False)
    client.headers["Host"] = "assistant.example.org"
    try:
        until("nginx listens", lambda: _listens(base))
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(20)


def _listens(base: str) -> bool:
    port = int(base.rpartition(":")[2])
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def get(client: httpx.Client, path: str, auth: tuple[str, str] | None = GOOD) -> httpx.Response:
    return client.get(path, auth=auth, extensions={"sni_hostname": "assistant.example.org"})


def test_the_password_alone_opens_them(server: httpx.Client) -> None:
    for auth in (None, ("operators", "wrong"), ("admin", PASSWORD)):
        refused = get(server, "/reports/2026-03.html", auth)
        assert refused.status_code == 401 and "评估" not in refused.text
    page = get(server, "/reports/2026-03.html")
    assert page.status_code == 200 and "模型评估" in page.text
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "style-src 'unsafe-inline'" in page.headers["content-security-policy"]
    for name in ("strict-transport-security", "x-content-type-options", "x-frame-options", "referrer-policy"):
        assert len(page.headers.get_list(name)) == 1
    assert get(server, "/reports/").text.endswith("<title>all</title>")
    assert get(server, "/reports/2026-03.json").json() == {"month": "2026-03"}


def test_there_is_no_way_to_another_file(server: httpx.Client) -> None:
    for path in (
        "/reports/way-out.json",
        "/reports/..%2fsecret.json",
        "/reports../secret.json",
        "/reports/none",
    ):
        answer = get(server, path)
        assert answer.status_code in {400, 403, 404} and "secret" not in answer.text, path
    sni = {"sni_hostname": "assistant.example.org"}
    assert server.post("/reports/2026-03.html", auth=GOOD, extensions=sni).status_code == 403


def test_they_are_served_only_where_a_folder_is_named(tmp_path: Path) -> None:
    assert "reports" not in render(tmp_path, "proxy", "nginx.conf.j2", DOMAIN)
