"""What answers from outside, with and without Docker's published ports, over IPv4 and IPv6."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.machines_verify.machine_access import (
    INFO,
    SSH,
    eventually,
    listening,
    machine_container,
    on_machine,
    run_as_root,
    stranger,
)

ADDRESSES = INFO.get("addresses") or [SSH["host"]]
ALLOWED = (22, 80, 443)
_SECONDS = 3.0
_PUBLISHED = 18080
_LISTENING = 18081
_PROBE = "firewall-probe"


def answers(address: str, port: int) -> bool:
    """Return whether a TCP connection from this host succeeds."""
    try:
        with socket.create_connection((address, port), timeout=_SECONDS):
            return True
    except OSError:
        return False


def _inside(address: str, port: int) -> bool:
    line = f"timeout 3 bash -c 'exec 3<>/dev/tcp/{address}/{port}'"
    return run_as_root(line).returncode == 0


@pytest.mark.parametrize("address", ADDRESSES)
def test_ssh_answers(address: str) -> None:
    # The limit of connections counts those of other tests, and each try in its half minute begins it anew.
    assert eventually(lambda: answers(address, int(SSH["port"])), seconds=100, pause=32)


@pytest.fixture
def listener() -> Iterator[None]:
    with listening(_LISTENING):
        yield


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.usefixtures("listener")
def test_a_program_that_listens_everywhere_is_not_reached(address: str) -> None:
    assert eventually(lambda: _inside("127.0.0.1", _LISTENING))
    assert not answers(address, _LISTENING)


@pytest.fixture(scope="module")
def published() -> Iterator[None]:
    """A container whose port is published on every address, as an operator's mistake would do it."""
    if run_as_root("command -v docker && docker info").returncode != 0:
        pytest.skip("there is no Docker on the machine, so nothing can be published")
    # The machine's own files are image enough: nothing is pulled.
    on_machine(
        f"docker image inspect {_PROBE} >/dev/null 2>&1 || tar -C / -c --exclude=./proc --exclude=./sys"
        f" --exclude=./var --exclude=./boot --exclude=./data --exclude=./root --exclude=./run"
        f" usr bin lib lib64 etc/alternatives | docker import - {_PROBE} >/dev/null"
    )
    on_machine(
        f"docker rm -f {_PROBE} >/dev/null 2>&1; docker run -d --name {_PROBE} -p {_PUBLISHED}:8000 {_PROBE}"
        f" python3 -m http.server 8000 >/dev/null"
    )
    yield
    on_machine(f"docker rm -f {_PROBE} >/dev/null; docker rmi {_PROBE} >/dev/null")


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.usefixtures("published")
def test_a_published_port_is_reached_from_inside_alone(address: str) -> None:
    assert eventually(lambda: _inside("127.0.0.1", _PUBLISHED))
    assert not answers(address, _PUBLISHED)


@pytest.mark.usefixtures("published")
def test_a_container_is_not_reached_by_its_own_address() -> None:
    """A neighbour may route to the container's network through the machine; DOCKER-USER drops that."""
    rules = on_machine("iptables -S DOCKER-USER").splitlines()
    drop = [rule for rule in rules if rule.endswith("-j DROP")]
    assert {"-A DOCKER-USER -o docker+ -j DROP", "-A DOCKER-USER -o br-+ -j DROP"} <= set(drop)
    assert any("DOCKER-USER" in line for line in on_machine("iptables -S FORWARD").splitlines())


def test_only_the_allowed_ports_are_open_in_ufw() -> None:
    lines = on_machine("ufw status verbose").splitlines()
    assert "Status: active" in lines
    assert "Default: deny (incoming), allow (outgoing), deny (routed)" in lines
    opened = {(line.split()[0], line.split(" IN")[0].split()[-1]) for line in lines if " IN " in line}
    assert opened == {("22/tcp", "LIMIT"), ("80/tcp", "ALLOW"), ("443/tcp", "ALLOW")}


@pytest.mark.skipif(
    not machine_container(), reason="the machine is not a container here, and has no neighbours"
)
def test_ssh_refuses_an_address_that_connects_too_often_and_no_other() -> None:
    with stranger() as hasty, stranger() as other:
        banners = [hasty.ssh_banner() for _ in range(7)]
        assert [text.startswith("SSH-2.0-") for text in banners] == [True] * 5 + [False] * 2
        assert other.ssh_banner().startswith("SSH-2.0-")


def test_forwarding_stays_on_for_docker() -> None:
    assert on_machine("cat /proc/sys/net/ipv4/ip_forward").strip() == "1"
