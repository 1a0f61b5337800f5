"""The modules of the role model: versions side by side, and a download that goes on where it ended."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.app.model_files import write_model
from tests.unit.repository.project import ROOT
from tests.unit.roles.playbook import run_tasks

ROLE = ROOT / "roles/model"


@pytest.fixture
def apply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run modules one after another; return their results in order, failed ones too."""
    monkeypatch.setenv("ANSIBLE_LIBRARY", str(ROLE / "library"))
    monkeypatch.setenv("ANSIBLE_MODULE_UTILS", str(ROLE / "module_utils"))

    def run(*steps: dict[str, Any]) -> list[dict[str, Any]]:
        tasks: list[dict[str, Any]] = []
        for number, step in enumerate(steps):
            tasks += [
                {"register": "result", "ignore_errors": True, **step},
                {
                    "ansible.builtin.copy": {
                        "content": "{{ result | to_json }}",
                        "dest": str(tmp_path / f"result-{number}"),
                        "mode": "0600",
                    }
                },
            ]
        run_tasks(tmp_path, tasks)
        return [json.loads((tmp_path / f"result-{n}").read_text()) for n in range(len(steps))]

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "models"
    path.mkdir()
    return path


def version(folder: Path, **values: Any) -> dict[str, Any]:
    return {"model_version": {"directory": str(folder), **values}}


def links(folder: Path) -> dict[str, str]:
    return {path.name: os.readlink(path) for path in folder.iterdir() if path.is_symlink()}


def test_versions_are_swapped_gone_back_to_and_cleared_away(apply: Any, folder: Path) -> None:
    for name in ("a", "b", "c", "d", "own"):
        (folder / f"{name}.gguf").write_text(name)
    steps = [version(folder, file=f"{name}.gguf", sha256=name * 64, keep=1) for name in "aabcd"]
    results = apply(
        {**version(folder, rollback=True)},
        *steps,
        {**version(folder, rollback=True), "check_mode": True},
        version(folder, rollback=True),
        version(folder, file="no.gguf"),
    )
    assert "no previous version" in results[0]["msg"]
    assert [result["changed"] for result in results[1:6]] == [True, False, True, True, True]
    assert [result["removed"] for result in results[1:6]] == [[], [], [], [], ["a.gguf"]]
    assert (results[5]["current"], results[5]["previous"]) == ("d.gguf", "c.gguf")
    assert (results[7]["current"], results[7]["previous"], results[7]["swapped"]) == (
        "c.gguf",
        "d.gguf",
        True,
    )
    assert "no.gguf" in results[8]["msg"]
    assert links(folder) == {"current.gguf": "c.gguf", "previous.gguf": "d.gguf"}
    assert (folder / "current.gguf").read_text() == "c"
    assert {p.name for p in folder.glob("?.gguf")} == {"b.gguf", "c.gguf", "d.gguf"}
    assert (folder / "own.gguf").exists(), "what people put there is theirs"


def test_a_promotion_is_told_until_somebody_says_what_is_current(apply: Any, folder: Path) -> None:
    for name in ("a.gguf", "b.gguf"):
        write_model(folder / name)
    (folder / "current.gguf").symlink_to("b.gguf")
    (folder / "previous.gguf").symlink_to("a.gguf")
    note = folder / ".promoted.json"
    note.write_text(json.dumps({"current": "b.gguf", "over": "a.gguf", "at": 1}))
    told, checked, named, again = apply(
        {"model_facts": {"path": str(folder / "a.gguf")}},
        {**version(folder, file="b.gguf"), "check_mode": True},
        version(folder, file="b.gguf"),
        version(folder, file="b.gguf"),
    )
    assert (told["current"], told["promoted"]["over"]) == ("b.gguf", "a.gguf")
    assert [result["changed"] for result in (checked, named, again)] == [True, True, False]
    assert not note.exists()
    note.write_text(json.dumps({"current": "b.gguf", "over": "a.gguf", "at": 1}))
    (back,) = apply(version(folder, rollback=True))
    assert (back["current"], note.exists()) == ("a.gguf", False)


def test_check_mode_changes_nothing(apply: Any, folder: Path) -> None:
    (folder / "a.gguf").write_text("a")
    (result,) = apply({**version(folder, file="a.gguf", sha256="a" * 64), "check_mode": True})
    assert result["changed"]
    assert [path.name for path in folder.iterdir()] == ["a.gguf"]


class Server(http.server.ThreadingHTTPServer):
    """Serves one file; the first ``breaks`` connections end after a third of what was asked for."""

    data = b""
    breaks = 0
    ranges: list[str]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.server.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-") or 0)
        body = self.server.data[start:]
        self.send_response(206 if asked else 200)
        if asked:
            size = len(self.server.data)
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.breaks:
            self.server.breaks -= 1
            body = body[: len(body) // 3]
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    made.ranges = []
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def download(server: Server, folder: Path, **values: Any) -> dict[str, Any]:
    asked = {
        "url": f"http://127.0.0.1:{server.server_port}/m.gguf",
        "dest": str(folder / "m.gguf"),
        "sha256": hashlib.sha256(server.data).hexdigest(),
        **values,
    }
    return {"model_download": asked}


def test_an_interrupted_download_goes_on(apply: Any, folder: Path, server: Server, tmp_path: Path) -> None:
    write_model(tmp_path / "m.gguf")
    server.data, server.breaks = (tmp_path / "m.gguf").read_bytes(), 1
    third = len(server.data) // 3
    first, second, third_run = apply(
        download(server, folder, attempts=1), download(server, folder), download(server, folder)
    )
    assert f"The first {third} bytes are kept" in first["msg"]
    assert (second["changed"], second["resumed_from"]) == (True, third)
    assert third_run["changed"] is False
    assert server.ranges == ["", f"bytes={third}-"]
    assert (folder / "m.gguf").read_bytes() == server.data
    assert [path.name for path in folder.iterdir()] == ["m.gguf"]


def test_another_file_and_a_broken_one_are_removed(apply: Any, folder: Path, server: Server) -> None:
    server.data = b"GGUF and then nothing"
    wrong, broken, full = apply(
        download(server, folder, sha256="0" * 64),
        download(server, folder),
        download(server, folder, spare_bytes=1 << 60),
    )
    assert "model_sha256" in wrong["msg"]
    assert "removed" in broken["msg"] and "byte 4" in broken["msg"]
    assert "must stay free" in full["msg"]
    assert not (folder / "m.gguf").exists()


def test_facts_of_a_file(apply: Any, folder: Path) -> None:
    write_model(folder / "m.gguf")
    content = (folder / "m.gguf").read_bytes()
    facts = {"path": str(folder / "m.gguf"), "checksum": True, "memory_bytes": 1 << 40}
    known, missing = apply({"model_facts": facts}, {"model_facts": {"path": str(folder / "no.gguf")}})
    assert (known["exists"], known["error"], known["fits"], known["blocks"]) == (True, "", True, 2)
    assert known["sha256"] == hashlib.sha256(content).hexdigest()
    assert known["free_bytes"] > 0
    assert missing["exists"] is False
