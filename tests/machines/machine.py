"""Start, find and remove a throwaway machine."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from tests.machines.image import ensure_machine_image
from tests.machines.keys import ensure_key, write_known_hosts
from tests.machines.ssh import (
    FIRST_USER,
    OPERATOR,
    await_turn,
    close_shared,
    root_line,
    shared_connection,
)
from tools.controller.cache import BUILD, fingerprint
from tools.controller.command import capture
from tools.controller.engine import docker, docker_command, ensure_engine
from tools.controller.failure import StageFailure

# Enough for systemd, sshd, ufw and a Docker engine inside, on hosts that refuse --privileged.
CAPABILITIES = (
    "SYS_ADMIN",
    "NET_ADMIN",
    "NET_RAW",
    "SYS_PTRACE",
    "SYS_CHROOT",
    "AUDIT_CONTROL",
    "AUDIT_WRITE",
    "MKNOD",
    "SETFCAP",
    "SYS_NICE",
    "SYS_TIME",
    "DAC_READ_SEARCH",
    "SYSLOG",
    "IPC_LOCK",
    "LINUX_IMMUTABLE",
)
_LABEL = "ai-assistant.machine"
_READY_SECONDS = 90.0


@dataclass(frozen=True)
class Machine:
    """A running throwaway machine as seen from the controller.

    Attributes:
        ipv4, ipv6: Its own addresses on its own network.
        gateway: The controller's IPv4 address on that network: where the machine reaches emulated services.
    """

    name: str
    ipv4: str
    ipv6: str
    gateway: str

    @property
    def folder(self) -> Path:
        """Folder of this machine's generated files (key, known_hosts, inventory)."""
        return BUILD / "machines" / self.name

    @property
    def key(self) -> Path:
        """Private key that opens the machine: for root while it is bare, then for the operator."""
        return self.folder / "id_rsa"

    @property
    def known_hosts(self) -> Path:
        """OpenSSH known_hosts file with the machine's host key."""
        return self.folder / "known_hosts"

    def ssh_command(self, *remote: str, user: str = OPERATOR, shared: bool = False) -> list[str]:
        """Return an ssh command line that runs ``remote`` on the machine.

        Args:
            remote: Words of the command, which the login shell there puts together; none for a login.
            user: Whom to log in as.
            shared: Over a connection that such calls share, and not over one of its own.
        """
        return [
            "ssh",
            "-i",
            str(self.key),
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "BatchMode=yes",
            "-o",
            "ConnectTimeout=5",
            "-o",
            f"UserKnownHostsFile={self.known_hosts}",
            *(shared_connection() if shared else []),
            f"{user}@{self.ipv4}",
            *remote,
        ]

    def as_root(self, line: str) -> list[str]:
        """Return an ssh command line that runs a shell line as root: the operator, through sudo."""
        return self.ssh_command(root_line(line), shared=True)


def find_machine(name: str) -> Machine | None:
    """Return the machine if it is running."""
    status, output = capture(docker_command("container", "inspect", name))
    if status != 0:
        return None
    container = json.loads(output)[0]
    if not container["State"]["Running"]:
        return None
    network = container["NetworkSettings"]["Networks"].get(name)
    if network is None or not network["IPAddress"]:
        return None
    return Machine(name, network["IPAddress"], network["GlobalIPv6Address"], network["Gateway"])


def _ensure_network(name: str) -> None:
    if capture(docker_command("network", "inspect", name))[0] == 0:
        return
    # A unique local /64 (RFC 4193) of its own for each name.
    digits = fingerprint("network", name)
    subnet = f"fd{digits[:2]}:{digits[2:6]}:{digits[6:10]}:1::/64"
    docker("network", "create", "--ipv6", "--subnet", subnet, "--label", f"{_LABEL}={name}", name)


def _resolver(folder: Path) -> Path:
    """Write the resolv.conf of a machine: the host's own servers.

    Docker would point the machine at its embedded resolver on loopback, which containers inside the machine
    cannot reach.
    """
    for source in (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf")):
        if source.exists():
            target = folder / "resolv.conf"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(source.read_text())
            return target
    raise StageFailure("this host has no /etc/resolv.conf", "give the host a name server")


def _start(name: str, memory: str, folder: Path) -> None:
    image = ensure_machine_image()
    _ensure_network(name)
    volume = f"{name}-docker"
    command = [
        "run",
        "--detach",
        "--name",
        name,
        "--hostname",
        name,
        "--network",
        name,
        "--label",
        f"{_LABEL}={name}",
    ]
    command += [flag for capability in CAPABILITIES for flag in ("--cap-add", capability)]
    for option in ("seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined"):
        command += ["--security-opt", option]
    # An older systemd must be told that it is in a container (systemd.io/CONTAINER_INTERFACE),
    # and on a restart would leave the root file system read-only.
    command += ["--env", "container=docker"]
    command += ["--cgroupns=private", "--device-cgroup-rule", "a *:* rwm", "--stop-signal", "SIGRTMIN+3"]
    command += ["--tmpfs", "/run", "--tmpfs", "/run/lock", "--volume", f"{volume}:/var/lib/docker"]
    command += [
        "--volume",
        f"{_resolver(folder)}:/etc/resolv.conf:ro",
        "--sysctl",
        "net.ipv6.conf.all.disable_ipv6=0",
    ]
    if memory:
        command += ["--memory", memory]
    docker(*command, image)


def login_user(machine: Machine) -> str:
    """Return whom the machine admits: root while it is bare, the operator once ops/bootstrap.py has run.

    A login as a user who does not exist would tell as well, and count as a failed one.
    """
    keys = f"/home/{OPERATOR}/.ssh/authorized_keys"
    made = capture(docker_command("exec", machine.name, "test", "-s", keys))[0] == 0
    return OPERATOR if made else FIRST_USER


def _admit(machine: Machine) -> None:
    """Give a bare machine our key, and ourselves its host key: docker exec needs no trust yet."""
    public = ensure_key(machine.key).with_name("id_rsa.pub").read_text().strip()
    if login_user(machine) == FIRST_USER:
        docker(
            "exec",
            machine.name,
            "sh",
            "-c",
            "install -d -m 700 /root/.ssh && umask 077 && cd /root/.ssh"
            ' && { grep -qxF "$1" authorized_keys 2>/dev/null || echo "$1" >> authorized_keys; }',
            "sh",
            public,
        )
    host_key = docker("exec", machine.name, "cat", "/etc/ssh/ssh_host_ed25519_key.pub")
    write_known_hosts(machine.known_hosts, [machine.ipv4, machine.ipv6], host_key)


def ensure_machine(name: str, memory: str = "") -> Machine:
    """Return the machine, started if it is not running and ready for an SSH login.

    Args:
        name: Name of the container, its network and its volume.
        memory: Memory limit in Docker's notation (``512m``); empty for none.

    Raises:
        StageFailure: It did not come up within 90 s; the text holds what its journal says.
    """
    ensure_engine()
    folder = BUILD / "machines" / name
    started = find_machine(name) is None
    if started:
        if capture(docker_command("container", "inspect", name))[0] == 0:
            docker("start", name)  # stopped with its engine, or by hand: everything in it is still there
        else:
            _start(name, memory, folder)
    deadline = time.monotonic() + _READY_SECONDS
    said = ""
    while time.monotonic() < deadline:
        machine = find_machine(name)
        if machine and capture(docker_command("exec", name, "test", "-S", "/run/systemd/private"))[0] == 0:
            # Until user sessions are allowed, pam_nologin keeps everybody but root out.
            units = ("ssh.service", "systemd-user-sessions.service")
            status, said = capture(docker_command("exec", name, "systemctl", "is-active", *units))
            if status == 0:
                _admit(machine)
                user = login_user(machine)
                if started:
                    # What is left of one to a machine of the same address leads nowhere.
                    close_shared(machine.ssh_command(user=user, shared=True))
                    started = False
                await_turn()
                status, said = capture(machine.ssh_command("true", user=user, shared=True), timeout=15)
                if status == 0:
                    return machine
        time.sleep(0.5)
    journal = capture(docker_command("logs", "--tail", "15", name))[1]
    raise StageFailure(
        f"machine {name} did not answer over SSH within {_READY_SECONDS:.0f} s: "
        f"{said.strip()}\n{journal.strip()}",
        f"`docker logs {name}` and `docker exec {name} journalctl -b` say more; `make demo-down` removes it",
    )


def remove_machine(name: str) -> list[str]:
    """Remove the machine, its volume, its network and its generated files; return what was there."""
    removed = []
    for kind, command in (
        ("container", ("rm", "--force", "--volumes", name)),
        ("volume", ("volume", "rm", f"{name}-docker")),
        ("network", ("network", "rm", name)),
    ):
        subject = f"{name}-docker" if kind == "volume" else name
        if capture(docker_command(kind, "inspect", subject))[0] == 0:
            docker(*command)
            removed.append(f"{kind} {subject}")
    folder = BUILD / "machines" / name
    if folder.exists():
        shutil.rmtree(folder)
        removed.append(f"folder {folder.relative_to(BUILD.parent)}")
    return removed


def all_machines() -> list[str]:
    """Return the names of all throwaway machines of this project, running or stopped."""
    listed = docker("ps", "--all", "--filter", f"label={_LABEL}", "--format", "{{.Names}}")
    return listed.split()
