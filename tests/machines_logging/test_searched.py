"""Lines of sshd, nginx and the assistant are found by their fields soon after they were written."""

from __future__ import annotations

import json
import secrets
import ssl
from collections.abc import Iterator

import httpx
import pytest

from tests.bench.report import write_report
from tests.end_to_end.conversation import Conversation
from tests.machines_logging.search import SOON, found, search, terms, value
from tests.machines_monitoring.load import info
from tests.machines_verify.machine_access import INFO, eventually, on_machine, stranger
from tests.machines_verify.served_model import INVENTORY

ANSWER_SECONDS = 180.0
SECONDS: dict[str, float] = {}


@pytest.fixture(scope="module", autouse=True)
def figures() -> Iterator[None]:
    """Write how long each search took to find its line, in seconds: build/bench/logging_search.json."""
    yield
    late = sorted(name for name, seconds in SECONDS.items() if seconds > SOON)
    took = {f"{name}_s": round(seconds, 1) for name, seconds in SECONDS.items()}
    write_report("logging_search", {**took, "later_than_10_s": " ".join(late)}, {})


def get(path: str) -> str:
    """Ask nginx for a path and return the id that it gave the request."""
    answer = httpx.get(
        INFO["https_url"] + path,
        verify=ssl.create_default_context(cafile=INFO["ca_file"]),
        trust_env=False,
        timeout=30,
    )
    return str(answer.headers["X-Request-ID"])


def test_filebeat_sends() -> None:
    """What was written before is there: without that, nothing below would say much."""
    assert eventually(lambda: bool(search(terms(data_stream__dataset="ai_assistant.app"), 1)), 180, pause=2)


def test_a_failed_login_over_ssh_is_found() -> None:
    user = f"nobody{secrets.token_hex(4)}"
    with stranger() as host:
        assert host.ssh(user).returncode != 0
        query = terms(user__name=user, event__outcome="failure", data_stream__dataset="ai_assistant.auth")
        lines, SECONDS["failed_login"] = found(query)
        assert lines, search({"match": {"message": user}})
        line = lines[0]
        assert value(line, "source.ip") == host.address
    assert "authentication" in value(line, "event.category")
    assert value(line, "process.name") == "sshd"
    assert value(line, "host.name") == INVENTORY.parent.name


def test_a_request_is_found_by_its_id() -> None:
    path = f"/{secrets.token_hex(8)}"
    trace = get(path)
    query = terms(trace__id=trace, data_stream__dataset="ai_assistant.nginx")
    lines, SECONDS["request"] = found(query)
    assert lines, search({"match": {"message": trace}})
    line = lines[0]
    assert value(line, "url.path") == path
    assert value(line, "http.response.status_code") == 404
    assert value(line, "event.outcome") == "failure"
    assert value(line, "source.ip")


def test_the_whole_way_of_a_message_is_found_by_its_id() -> None:
    Conversation(info(), ANSWER_SECONDS).ask("feishu", f"Hello {secrets.token_hex(4)}")
    ways, SECONDS["reply"] = found(terms(event__action="reply-sent", assistant__platform="feishu"))
    assert ways
    trace = value(ways[-1], "trace.id")
    wanted = {"request", "message-received", "message-taken", "message-answered", "reply-sent"}

    def actions() -> set[str]:
        return {str(value(line, "event.action")) for line in search(terms(trace__id=trace))}

    assert eventually(lambda: actions() >= wanted, 60, pause=1), actions()
    lines = search(terms(trace__id=trace))
    assert {value(line, "data_stream.dataset") for line in lines} == {
        "ai_assistant.nginx",
        "ai_assistant.app",
    }
    assert len({json.dumps(line, sort_keys=True) for line in lines}) == len(lines)


def test_every_kind_of_log_is_there() -> None:
    """auditd cannot run in a container, and ufw's lines are the kernel's, which is the host's."""
    on_machine("systemd-run --quiet --wait true; sudo -u nobody true")
    on_machine("systemctl restart docker; fail2ban-client set sshd banip 192.0.2.77")
    try:
        kinds = ("app", "nginx", "auth", "fail2ban", "docker", "ansible", "system")
        missing = {kind for kind in kinds if not found(terms(data_stream__dataset=f"ai_assistant.{kind}"))[0]}
    finally:
        on_machine("fail2ban-client set sshd unbanip 192.0.2.77")
    assert missing == set()


def test_what_filebeat_holds() -> None:
    """Only root reads its password and its keys, and it listens nowhere."""
    secret = "-name '*.key' -o -name '*login*' -o -name '*.keystore'"
    assert on_machine(f"find /etc/filebeat -type f -perm /o+r '(' {secret} ')'").strip() == ""
    listed = on_machine("ss -Hltnp")
    assert "filebeat" not in listed
