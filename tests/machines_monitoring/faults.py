"""What goes wrong on the machine; each is a context manager that makes the fault and mends it at its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.machines_monitoring.services import units, value
from tests.machines_verify.machine_access import eventually, on_machine, run_as_root

DISK = "/srv/small-disk"
_IMAGE = "/var/small-disk.img"
_TLS = "/etc/ai-assistant/tls"


def disk_share() -> float | None:
    """Return how full Prometheus sees the small disk, from 0 to 1, as df counts; None while it sees none."""
    one = f'{{mountpoint="{DISK}"}}'
    return value(
        f"1 - node_filesystem_avail_bytes{one} /"
        f" (node_filesystem_size_bytes{one} - node_filesystem_free_bytes{one}"
        f" + node_filesystem_avail_bytes{one})"
    )


@contextmanager
def small_disk() -> Iterator[None]:
    """Give the machine a file system of 64 MB of its own inside this block: a loop device with ext4."""
    unit = units()["node_exporter"]
    on_machine(
        # A container's /dev has no device files for them.
        "[ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237;"
        " for n in 0 1 2 3 4 5 6 7; do [ -e /dev/loop$n ] || mknod /dev/loop$n b 7 $n; done;"
        f" truncate -s 64M {_IMAGE} && mkfs.ext4 -q -F {_IMAGE} && mkdir -p {DISK}"
        f" && mount -o loop {_IMAGE} {DISK}"
        # Mounts of its own: in a container, unlike on a host, later ones do not come to it.
        f" && systemctl restart {unit}"
    )
    try:
        assert eventually(lambda: disk_share() is not None, 120, pause=2), (
            "node_exporter does not show the disk"
        )
        yield
    finally:
        run_as_root(f"umount {DISK}; rmdir {DISK}; rm -f {_IMAGE}; systemctl restart {unit}")


@contextmanager
def full_disk() -> Iterator[None]:
    """Fill the small disk to about 95 % inside this block."""
    on_machine(f"fallocate -l $(( $(df --output=avail -B1 {DISK} | tail -1) * 95 / 100 )) {DISK}/filling")
    try:
        yield
    finally:
        on_machine(f"rm -f {DISK}/filling")


@contextmanager
def stopped_container() -> Iterator[None]:
    """Stop the assistant's container inside this block."""
    on_machine("docker stop ai-core")
    try:
        yield
    finally:
        on_machine("docker start ai-core")


@contextmanager
def stopped_docker() -> Iterator[None]:
    """Stop Docker itself inside this block."""
    on_machine("systemctl stop docker.socket docker.service")
    try:
        yield
    finally:
        on_machine("systemctl start docker.socket docker.service")


@contextmanager
def old_certificate(days: int = 7) -> Iterator[None]:
    """Serve a certificate of the machine's own authority that ends in ``days`` days inside this block.

    The daily renewal would replace it, so it waits.
    """
    made = (
        f"cd {_TLS}",
        "cp -p server.crt .server.crt.kept",
        "umask 077",
        "work=$(mktemp -d)",
        "names=$(openssl x509 -in server.crt -noout -ext subjectAltName | tail -n +2)",
        "echo subjectAltName=$names | sed 's/IP Address:/IP:/g' > $work/extensions",
        "openssl req -new -key server.key -subj /CN=ends-soon -out $work/request",
        f"openssl x509 -req -days {days} -in $work/request -CA ca.crt -CAkey ca.key -set_serial 4711"
        " -extfile $work/extensions -out $work/server.crt 2>/dev/null",
        "cat $work/server.crt > server.crt",
        "rm -r $work",
        "systemctl stop ai-assistant-certificate.timer",
        "systemctl reload nginx",
    )
    try:
        on_machine(" && ".join(made))
        yield
    finally:
        on_machine(
            f"cd {_TLS} && [ -s .server.crt.kept ]"
            " && cat .server.crt.kept > server.crt && rm .server.crt.kept"
            " && systemctl start ai-assistant-certificate.timer && systemctl reload nginx"
        )
