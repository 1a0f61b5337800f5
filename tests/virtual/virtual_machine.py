"""A virtual machine with Debian's kernel, made of the distribution's packages and run by qemu without KVM.

A container has neither audit, process accounting nor GRUB; what a role does with them is tried here.
It takes about a minute to make and a minute to boot on two cores.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.machines.keys import ensure_key
from tools.controller.cache import BUILD, cache_directory, extra_ca_certificates, fingerprint
from tools.controller.command import as_root, make_ours, run
from tools.controller.packages import ensure_packages
from tools.controller.rootfs import suite

_PACKAGES = (
    *("linux-image-cloud-amd64", "initramfs-tools", "grub2-common", "grub-pc-bin", "systemd-sysv", "udev"),
    *("dbus", "kmod", "openssh-server", "iproute2", "ca-certificates", "python3", "python3-apt", "sudo"),
)
# qemu's own network gives this address to the name server.
_FILES = {
    "etc/systemd/network/10-all.network": "[Match]\nName=e*\n[Network]\nDHCP=yes\n",
    "etc/resolv.conf": "nameserver 10.0.2.3\n",
    "etc/fstab": "/dev/vda / ext4 defaults 0 1\n",
    "etc/hostname": "virtual\n",
}
_BOOT_SECONDS = 600.0


def _hooks(public_key: Path) -> list[str]:
    hooks = ['mkdir -p "$1"/root/.ssh "$1"/boot/grub && chmod 700 "$1"/root/.ssh']
    hooks += [f'cp {public_key} "$1"/root/.ssh/authorized_keys']
    hooks += [f'rm -f "$1"/{name} && printf \'{text}\' > "$1"/{name}' for name, text in _FILES.items()]
    hooks += [f'cp {path} "$1"/usr/local/share/ca-certificates/' for path in extra_ca_certificates()]
    return [*hooks, 'chroot "$1" update-ca-certificates', 'chroot "$1" systemctl enable systemd-networkd']


class VirtualMachine:
    """One virtual machine; everything of it lies in ``folder``."""

    def __init__(self, folder: Path = BUILD / "machines" / "virtual") -> None:
        """Choose a free port of this host, which leads to the machine's SSH."""
        self.folder = folder
        self.disk = folder / "disk.img"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Make a fresh disk, the kernel and a key.

        Raises:
            StageFailure: A package cannot be fetched, or a tool failed.
        """
        ensure_packages({"qemu-system-x86": "qemu-system-x86_64", "mmdebstrap": "mmdebstrap"})
        self.key = ensure_key(cache_directory("virtual") / "id_rsa")
        hooks = _hooks(self.key.with_suffix(".pub"))
        recipe = fingerprint(suite(), " ".join(_PACKAGES), "\n".join(hooks), self.key.with_suffix(".pub"))
        archive = cache_directory("virtual") / f"{suite()}-{recipe}.tar"
        log, remedy = BUILD / "logs" / "virtual.log", "read the log; free some disk space; run again"
        if not archive.exists():
            partial = archive.with_suffix(".part.tar")
            command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}"]
            command += ['--aptopt=Acquire::Languages "none"', "--dpkgopt=path-exclude=/usr/share/man/*"]
            command += [f"--customize-hook={hook}" for hook in hooks]
            command += [suite(), str(partial)]
            run(as_root(command), log=log, what="making the virtual machine", remedy=remedy)
            make_ours(partial)
            partial.rename(archive)
        self.folder.mkdir(parents=True, exist_ok=True)
        script = (
            'set -e; cd "$1"; rm -rf root disk.img; mkdir root; tar -xf "$2" -C root;'
            " cp root/boot/vmlinuz-* vmlinuz; cp root/boot/initrd.img-* initrd;"
            " truncate -s 4G disk.img; mke2fs -q -t ext4 -d root disk.img; rm -rf root;"
            " chmod a+r vmlinuz initrd"
        )
        command = ["sh", "-c", script, "sh", str(self.folder), str(archive)]
        run(as_root(command), log=log, what="writing the disk", remedy=remedy)
        make_ours(self.disk)

    def boot(self) -> None:
        """Start the machine, and wait until it takes commands.

        Raises:
            TimeoutError: It did not within ten minutes; its console is ``console.log``.
        """
        command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max"]
        command += ["-m", "1024", "-smp", "2", "-nodefaults", "-no-reboot", "-display", "none"]
        command += ["-serial", f"file:{self.folder / 'console.log'}"]
        command += ["-kernel", str(self.folder / "vmlinuz"), "-initrd", str(self.folder / "initrd")]
        command += ["-append", "root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet"]
        command += ["-drive", f"file={self.disk},format=raw,if=virtio", "-device", "virtio-rng-pci"]
        command += ["-nic", f"user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:{self.port}-:22"]
        self._process = subprocess.Popen(command)  # it ends with the machine, which never reboots by itself
        deadline = time.monotonic() + _BOOT_SECONDS
        while self.ssh("systemctl is-system-running --wait").returncode == 255:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise TimeoutError(f"the virtual machine does not answer; read {self.folder / 'console.log'}")
            time.sleep(2)

    def reboot(self) -> None:
        """Shut the machine down as its own reboot would, and start it again."""
        assert self._process is not None
        self.ssh("systemctl reboot")
        self._process.wait(timeout=_BOOT_SECONDS)
        self.boot()

    def stop(self) -> None:
        """End the machine at once."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def ssh_options(self) -> list[str]:
        """Return the options of ssh that lead to the machine, whose host key is a new one each time."""
        options = ["-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={os.devnull}"]
        return [*options, "-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=10"]

    def ssh(self, command: str, user: str = "root") -> subprocess.CompletedProcess[str]:
        """Run a shell line on the machine; the status is 255 where it cannot be reached."""
        words = ["ssh", "-o", "BatchMode=yes", *self.ssh_options(), "-i", str(self.key), "-p", str(self.port)]
        try:
            return subprocess.run(
                [*words, f"{user}@127.0.0.1", command],
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(words, 255, "", "no answer within 300 s")
