"""One throwaway deployment: its machine, the emulated platforms beside it, and its generated inventory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.machines.machine import Machine
from tests.machines.ssh import OPERATOR
from tools.controller.artifacts import Artifacts
from tools.controller.cache import ROOT, extra_ca_certificates
from tools.controller.rootfs import suite

FEISHU_PORT = 8801
TELEGRAM_PORT = 8802
TELEGRAM_WEBHOOK_PATH = "/telegram/webhook"
SUPPORTED_RELEASES = ("Ubuntu 22[.]04", "Debian 12")
# Releases that the roles are tried on without being supported: Debian 11 has the PAM of Ubuntu 22.04.
COMPATIBILITY_SUITES = {"bullseye": "Debian 11"}


@dataclass(frozen=True)
class Deployment:
    """Everything that is known of a throwaway deployment before ``site.yml`` runs."""

    machine: Machine
    secrets: dict[str, str]

    @property
    def folder(self) -> Path:
        """Folder of the generated files."""
        return self.machine.folder

    @property
    def inventory(self) -> Path:
        """Folder of the generated inventory; it goes beside inventory/demo."""
        return self.folder / "inventory"

    @property
    def ca_file(self) -> Path:
        """The certificate authority of the machine's web server, fetched after ``site.yml``."""
        return self.folder / "ca.crt"

    @property
    def inventories(self) -> list[str]:
        """The ``-i`` arguments for Ansible, later ones winning."""
        return ["-i", str(ROOT / "inventory" / "demo"), "-i", str(self.inventory)]

    def emulator_url(self, port: int) -> str:
        """Return the address of an emulated platform, the same from here and from the machine."""
        return f"http://{self.machine.gateway}:{port}"

    def platforms(self) -> dict[str, dict[str, str]]:
        """Return what the emulated platforms must know of the assistant's app and bot."""
        fields = {
            "feishu": ("app_id", "app_secret", "encrypt_key", "verification_token"),
            "telegram": ("bot_token", "secret_token"),
        }
        return {name: {key: self.secrets[f"{name}_{key}"] for key in keys} for name, keys in fields.items()}

    def info(self) -> dict[str, Any]:
        """Return what a script needs to talk to this deployment (printed by ``make -s demo-info``)."""
        url = f"https://{self.machine.ipv4}"
        platforms = self.platforms()
        return {
            "ssh": {
                "host": self.machine.ipv4,
                "port": 22,
                "user": OPERATOR,
                "key": str(self.machine.key),
                "known_hosts": str(self.machine.known_hosts),
            },
            "addresses": [self.machine.ipv4, self.machine.ipv6],
            "https_url": url,
            "web_chat_url": f"{url}/",
            "ca_file": str(self.ca_file),
            "feishu": {**platforms["feishu"], "emulator_url": self.emulator_url(FEISHU_PORT)},
            "telegram": {
                **platforms["telegram"],
                "webhook_path": TELEGRAM_WEBHOOK_PATH,
                "emulator_url": self.emulator_url(TELEGRAM_PORT),
            },
            "api": {"base_url": f"{url}/v1", "token": self.secrets["api_token"]},
        }

    def write_inventory(self, artifacts: Artifacts) -> None:
        """Write the generated inventory: the host, what the demo made, and the vault values.

        JSON is YAML, so the standard library is enough to write it.
        """
        machine = self.machine
        certificates = [str(path) for path in extra_ca_certificates()]
        public_key = machine.key.with_name("id_rsa.pub").read_text().strip()
        variables = {
            "ansible_host": machine.ipv4,
            "ansible_user": OPERATOR,
            "ansible_ssh_private_key_file": str(machine.key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={machine.known_hosts} -o IdentitiesOnly=yes",
            "ssh_admin_users": [{"name": OPERATOR, "authorized_keys": [public_key]}],
            "base_extra_ca_certificates": certificates,
            "model_source": str(artifacts.model),
            "assistant_base_image": artifacts.base_image,
            "assistant_base_image_archive": str(artifacts.base_image_archive),
            "assistant_wheelhouse": str(artifacts.wheelhouse),
            "assistant_extra_ca_certificates": certificates,
            "assistant_feishu_app_id": self.secrets["feishu_app_id"],
            "assistant_feishu_base_url": self.emulator_url(FEISHU_PORT),
            "assistant_telegram_base_url": self.emulator_url(TELEGRAM_PORT),
            "assistant_telegram_webhook_path": TELEGRAM_WEBHOOK_PATH,
            "proxy_domain": f"{machine.name}.test",
            "proxy_subject_alt_names": [machine.ipv4, machine.ipv6],
        }
        if suite() in COMPATIBILITY_SUITES:
            variables["base_supported_releases"] = [*SUPPORTED_RELEASES, COMPATIBILITY_SUITES[suite()]]
        hosts = {"assistant": {"hosts": {machine.name: variables}}}
        vault = {f"vault_{name}": value for name, value in self.secrets.items() if name != "feishu_app_id"}
        group = self.inventory / "group_vars" / "assistant"
        group.mkdir(parents=True, exist_ok=True)
        (self.inventory / "hosts.yml").write_text(json.dumps(hosts, indent=2) + "\n")
        secret_file = group / "vault.yml"
        secret_file.touch(mode=0o600)
        secret_file.write_text(json.dumps(vault, indent=2) + "\n")
