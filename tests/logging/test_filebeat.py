"""A line's way through the real Filebeat into the real Elasticsearch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.app.process import until
from tests.logging.filebeat import Journal, Shipper, documents, prepare, shipper
from tests.logging.node import Node, data_node
from tools.elastic.shipper import Filebeat, cached_filebeat

SSH = "Failed password for invalid user oracle from 203.0.113.9 port 4242 ssh2"
APP = json.dumps({"@timestamp": "2026-11-27T00:59:30.621Z", "message": "received", "trace": {"id": "a" * 32}})
NGINX = json.dumps(
    {"@timestamp": "2026-11-27T00:59:47+00:00", "message": "request", "trace": {"id": "a" * 32}}
)
FAIL2BAN = "2026-11-27 00:58:09,168 fail2ban.actions        [3713]: NOTICE  [sshd] Ban 203.0.113.9"
AUDIT = "type=USER_LOGIN msg=audit(1795741050.123:42): pid=7 uid=0 msg='op=login acct=\"x\" res=failed'"


@pytest.fixture(scope="module")
def filebeat() -> Filebeat:
    found = cached_filebeat()
    if found is None:
        pytest.skip("Filebeat is not built: make elastic")
    return found


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with data_node() as running:
        prepare(running)
        yield running


@pytest.fixture(scope="module")
def shipped(
    filebeat: Filebeat, node: Node, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Shipper, Node]]:
    folder = tmp_path_factory.mktemp("shipped")
    journal = Journal(folder)
    journal.start()
    try:
        with shipper(folder, filebeat.program, node, enter=journal.enter()) as running:
            journal.write("sshd", "auth.info", SSH)
            journal.write(
                "sudo", "authpriv.notice", "alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/true"
            )
            journal.write(
                "ansible-ansible.builtin.file", "user.notice", "Invoked with path=/tmp state=absent"
            )
            journal.write("cron", "cron.info", "a line of something else")
            running.write_container(["a line of the loader", APP])
            running.write_container([APP], tag="elasticsearch")
            running.nginx.write_text(NGINX + " " * 160 + "\n")
            (folder / "fail2ban.log").write_text(FAIL2BAN + "\n")
            (folder / "audit.log").write_text(AUDIT + "\n")
            yield running, node
    finally:
        journal.stop()


@pytest.mark.parametrize(
    ("dataset", "text", "fields"),
    [
        ("auth", SSH, {"syslog.identifier": "sshd", "syslog.facility": 4, "input.type": "journald"}),
        ("auth", "COMMAND=/bin/true", {"syslog.identifier": "sudo", "syslog.facility": 10}),
        ("ansible", "Invoked with", {"syslog.identifier": "ansible-ansible.builtin.file"}),
        ("system", "a line of something else", {"syslog.identifier": "cron"}),
        ("app", "a line of the loader", {"stream": "stderr", "docker.attrs.tag": "ai-core"}),
        ("app", APP, {"stream": "stderr", "input.type": "filestream"}),
        ("nginx", NGINX, {"input.type": "filestream", "log.offset": 0}),
        ("fail2ban", FAIL2BAN, {"input.type": "filestream"}),
        ("auditd", AUDIT, {"input.type": "filestream"}),
    ],
)
def test_a_line_is_found_in_its_own_stream(
    shipped: tuple[Shipper, Node], dataset: str, text: str, fields: dict[str, Any]
) -> None:
    running, node = shipped
    found: list[dict[str, Any]] = []

    def arrived() -> bool:
        found[:] = [line for line in documents(node, dataset) if text in line["message"]]
        return bool(found)

    until(f"{text} is found ({running.log[-2000:]})", arrived, 60)
    assert len(found) == 1
    flat = _flat(found[0])
    stream = {"type": "logs", "dataset": f"ai_assistant.{dataset}", "namespace": "default"}
    expected = {f"data_stream.{name}": value for name, value in stream.items()}
    expected |= {"event.dataset": f"ai_assistant.{dataset}", "host.name": "assistant-1", **fields}
    assert {name: flat.get(name) for name in expected} == expected
    assert not flat["message"].endswith("\n")


def test_lines_of_other_containers_stay(shipped: tuple[Shipper, Node]) -> None:
    running, node = shipped
    running.write_container(["the last one"])
    until("the last one is found", lambda: "the last one" in _messages(node, "app"), 60)
    assert sorted(_messages(node, "app")) == sorted(["a line of the loader", APP, "the last one"])


def _messages(node: Node, dataset: str) -> list[str]:
    return [line["message"] for line in documents(node, dataset)]


def _flat(value: dict[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, inner in value.items():
        found |= _flat(inner, f"{before}{name}.") if isinstance(inner, dict) else {f"{before}{name}": inner}
    return found
