"""The container as the mission words it, and what it must not give away."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest

from tests.machines_verify.machine_access import INFO, on_machine

SECRETS = [
    INFO["feishu"]["app_secret"],
    INFO["feishu"]["encrypt_key"],
    INFO["feishu"]["verification_token"],
    INFO["telegram"]["bot_token"],
    INFO["telegram"]["secret_token"],
    INFO["api"]["token"],
]


@functools.cache
def container() -> dict[str, Any]:
    """What `docker inspect` says of ai-core."""
    described: list[dict[str, Any]] = json.loads(on_machine("docker inspect ai-core"))
    return described[0]


def test_it_is_the_container_of_the_mission() -> None:
    assert container()["State"]["Status"] == "running"
    assert container()["Config"]["Image"].startswith("ai-assistant:")
    assert list(container()["NetworkSettings"]["Networks"]) == ["ai-assistant-net"]
    assert container()["HostConfig"]["PortBindings"] == {
        "8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8000"}]
    }
    environment = dict(line.split("=", 1) for line in container()["Config"]["Env"])
    assert environment["MODEL_PATH"].startswith("/models/")
    on_machine(f"test -f /data/ai-models/{environment['MODEL_PATH'].removeprefix('/models/')}")


def test_docker_finds_it_healthy() -> None:
    line = "for i in $(seq 40); do s=$(docker inspect -f '{{.State.Health.Status}}' ai-core);"
    assert on_machine(f"{line} [ $s = healthy ] && break; sleep 1; done; echo $s").strip() == "healthy"


def test_it_may_do_next_to_nothing() -> None:
    host = container()["HostConfig"]
    assert container()["Config"]["User"] == "10001:10001"
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["Privileged"] is False
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] > 0
    assert host["MemorySwap"] == host["Memory"]
    assert host["PidsLimit"] > 0
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    # The tag tells Filebeat whose lines they are.
    assert host["LogConfig"]["Config"] == {"max-file": "5", "max-size": "10m", "tag": "ai-core"}
    assert on_machine("docker exec ai-core grep -E 'CapEff|NoNewPrivs' /proc/1/status").split() == [
        "CapEff:",
        "0000000000000000",
        "NoNewPrivs:",
        "1",
    ]


@pytest.mark.parametrize("path", ["/models/x", "/run/secrets/x", "/etc/x", "/app/x"])
def test_it_cannot_write(path: str) -> None:
    tried = on_machine(f"docker exec ai-core sh -c 'touch {path} 2>&1 || true'")
    assert "Read-only file system" in tried or "Permission denied" in tried


def test_no_secret_is_in_what_docker_or_ps_or_the_log_show() -> None:
    shown = {
        "docker inspect": json.dumps(container()),
        "docker history": on_machine("docker history --no-trunc $(docker inspect -f '{{.Image}}' ai-core)"),
        "ps": on_machine("ps auxeww"),
        "docker logs": on_machine("docker logs ai-core 2>&1"),
        "assistant.env": on_machine("cat /etc/ai-assistant/assistant.env"),
        "Ansible's leftovers": on_machine("cat ~/.ansible/tmp/* 2>/dev/null; journalctl -q -b --no-pager"),
    }
    assert {name for name, text in shown.items() if any(secret in text for secret in SECRETS)} == set()


def test_secrets_are_files_for_root_and_the_container_alone() -> None:
    listed = on_machine("stat -c '%u:%g %a %F' /etc/ai-assistant/secrets /etc/ai-assistant/secrets/*")
    assert set(listed.splitlines()) == {"0:10001 750 directory", "0:10001 440 regular file"}


def test_it_starts_again_by_itself_when_it_dies() -> None:
    # SIGKILL from the host's side, as the kernel's memory killer does it.
    before = container()["State"]["Pid"]
    on_machine(f"kill -9 {before}")
    line = "for i in $(seq 60); do s=$(docker inspect -f '{{.State.Status}} {{.State.Pid}}' ai-core);"
    line += f' [ "$s" != "running {before}" ] && [ "${{s%% *}}" = running ] && break; sleep 1; done; echo $s'
    status, pid = on_machine(line).split()
    assert status == "running"
    assert int(pid) != before
    container.cache_clear()
    on_machine(
        "for i in $(seq 40); do python3 -c 'import urllib.request as u; "
        'u.urlopen("http://127.0.0.1:8000/readyz", timeout=1)\' 2>/dev/null && exit 0; sleep 1; done; exit 1'
    )
