"""The image of a throwaway machine: systemd and sshd from the distribution's packages, and no Python."""

from __future__ import annotations

from tools.controller.rootfs import ensure_rootfs_image, suite

PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "libpam-systemd",
    "openssh-server",
    "iproute2",
    "ca-certificates",
    "kmod",
)

# A container gets /sys and its cgroups read-only unless it is privileged; systemd needs them writable.
# SYS_ADMIN lets the container remount its own view, and the private cgroup namespace keeps that to itself.
_INIT = r"""#!/bin/sh
set -e
mount -o remount,rw /sys
for mount in /sys/fs/cgroup $(awk '$2 ~ "^/sys/fs/cgroup/" {print $2}' /proc/mounts); do
    mount -o remount,bind,rw "$mount" || true
done
[ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -A
exec /sbin/init
"""

_HOOKS = (
    'rm -f "$1"/etc/ssh/ssh_host_*',  # every machine makes its own
    f"cat > \"$1\"/sbin/machine-init <<'INIT'\n{_INIT}INIT",
    'chmod 755 "$1"/sbin/machine-init',
    'rm -f "$1"/etc/machine-id && touch "$1"/etc/machine-id',
    # A container has no hardware for these to manage; they would only show as failed units.
    'chroot "$1" systemctl mask systemd-udevd.service systemd-networkd-wait-online.service getty.target'
    " console-getty.service systemd-logind.service sys-kernel-debug.mount sys-kernel-tracing.mount",
    'test ! -e "$1"/usr/bin/python3',
)


def ensure_machine_image() -> str:
    """Make the machine image if it is not there and return its reference.

    Raises:
        StageFailure: See :func:`tools.controller.rootfs.ensure_rootfs_image`.
    """
    return ensure_rootfs_image("ai-assistant-machine", suite(), PACKAGES, _HOOKS, init="/sbin/machine-init")
