"""Docker as people use it on the hardened host, without a registry of the outside: push, pull, run, build."""

from __future__ import annotations

import secrets
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.machines_verify.cutting_server import controller_address
from tests.machines_verify.machine_access import eventually, on_machine, run_as_root
from tests.machines_verify.served_model import INVENTORY

PORT = 15000
UNIT = "registry-test"
LOCAL, REMOTE = "registry-test-image", f"127.0.0.1:{PORT}/registry-test/image:1"
_CONFIG = r"version: 0.1\nstorage: {filesystem: {rootdirectory: %s/data}}\nhttp: {addr: 127.0.0.1:%s}\n"


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """An image of nothing but bash and its libraries, from the machine's own files."""
    libraries = "$(ldd /bin/bash | grep -o '/[^ ]*')"
    on_machine(f"tar -C / -chf - /bin/bash {libraries} 2>/dev/null | docker import - {LOCAL}")
    yield LOCAL
    run_as_root(f"docker image rm --force {LOCAL} {REMOTE}")


@pytest.fixture(scope="module")
def registry() -> Iterator[None]:
    """The distribution's own registry server on the machine's loopback, not installed, only unpacked."""
    folder = on_machine("mktemp -d /var/lib/registry-test.XXXXXX").strip()
    try:
        on_machine(
            f"cd {folder} && apt-get update -qq && apt-get download -qq docker-registry 2>&1"
            f" && dpkg -x docker-registry_*.deb . && printf '{_CONFIG % (folder, PORT)}' > config.yml"
        )
        program = f"{folder}/usr/bin/docker-registry serve {folder}/config.yml"
        on_machine(f"systemd-run --quiet --collect --unit {UNIT} {program}")
        assert eventually(lambda: bool(on_machine(f"ss -Htln 'sport = :{PORT}'"))), on_machine(
            f"journalctl --no-pager -u {UNIT}"
        )
        yield
    finally:
        run_as_root(f"systemctl stop {UNIT}; rm -r {folder}")


@pytest.mark.usefixtures("registry")
def test_an_image_is_pushed_and_pulled_and_runs(image: str) -> None:
    word = secrets.token_hex(8)
    on_machine(f"docker tag {image} {REMOTE} && docker push -q {REMOTE} && docker image rm {REMOTE} {image}")
    assert run_as_root(f"docker image inspect {image}").returncode != 0
    assert run_as_root(f"docker image inspect {REMOTE}").returncode != 0
    on_machine(f"docker pull -q {REMOTE} && docker tag {REMOTE} {image}")
    assert on_machine(f"docker run --rm {image} /bin/bash -c 'echo {word}'").strip() == word


class _Words(socketserver.ThreadingTCPServer):
    """Answers every connection with one word, and keeps the addresses that asked."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self, word: str) -> None:
        super().__init__(("0.0.0.0", 0), _Answer)
        self.word = word
        self.asked: list[str] = []


class _Answer(socketserver.BaseRequestHandler):
    server: _Words

    def handle(self) -> None:
        self.server.asked.append(self.client_address[0])
        self.request.sendall(f"{self.server.word}\n".encode())


@contextmanager
def _word_server() -> Iterator[_Words]:
    with _Words(secrets.token_hex(8)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def _ask(server: _Words) -> str:
    """Return a line of bash that prints the server's word; the server is on the controller."""
    address = f"/dev/tcp/{controller_address(INVENTORY)}/{server.server_address[1]}"
    return f"exec 3<>{address} && read -u 3 w && echo got-$w"


def test_a_container_reaches_the_network(image: str) -> None:
    with _word_server() as server:
        said = on_machine(f"timeout 30 docker run --rm {image} /bin/bash -c '{_ask(server)}'")
    assert said.strip() == f"got-{server.word}"
    assert len(server.asked) == 1


def test_a_step_of_a_build_reaches_the_network(image: str) -> None:
    built = f"{LOCAL}-built"
    with _word_server() as server:
        step = f'RUN ["/bin/bash", "-c", "{_ask(server)} > /word"]'
        try:
            on_machine(
                f"printf '%s\\n' 'FROM {image}' '{step}' | timeout 60 docker build --no-cache -q -t {built} -"
            )
            run = f"docker run --rm {built} /bin/bash -c 'read w < /word && echo $w'"
            assert on_machine(run).strip() == f"got-{server.word}"
        finally:
            run_as_root(f"docker image rm --force {built}")
    assert len(server.asked) == 1
