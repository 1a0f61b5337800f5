"""Let a throwaway machine watch itself: ``python -m tests.machines_monitoring.join NAME``.

It joins the group ``monitoring`` of its generated inventory, and gets two chats for its alerts: a group with
a custom bot on the emulated Feishu, and one that the assistant's bot is in on the emulated Telegram.
"""

from __future__ import annotations

import json
import secrets
import sys
import urllib.request
from pathlib import Path

from tools.controller.cache import BUILD

GROUP_FILE = "monitoring.yml"
CHATS_FILE = "alerts.json"


def join(machine: Path) -> None:
    """Write the group and its variables, and make the group with the custom bot.

    Args:
        machine: folder of the machine's generated files.

    Raises:
        OSError: the machine was not made, or its emulated platforms do not answer.
    """
    info = json.loads((machine / "info.json").read_text())
    feishu, telegram = info["feishu"]["emulator_url"], info["telegram"]["emulator_url"]
    kept = machine / CHATS_FILE
    if not kept.exists():
        kept.touch(mode=0o600)
        chats = {
            "feishu": secrets.token_hex(18),
            "feishu_secret": secrets.token_urlsafe(16),
            "telegram": str(-1_000_000_000_000 - secrets.randbelow(10**9)),
        }
        kept.write_text(json.dumps(chats))
    chats = json.loads(kept.read_text())
    order = json.dumps({"token": chats["feishu"], "secret": chats["feishu_secret"]}).encode()
    with urllib.request.urlopen(f"{feishu}/_hook", order, timeout=10):
        pass
    variables = {
        "alert_relay_feishu_webhook": f"{feishu}/open-apis/bot/v2/hook/{chats['feishu']}",
        "alert_relay_feishu_secret": chats["feishu_secret"],
        "alert_relay_telegram_bot_token": info["telegram"]["bot_token"],
        "alert_relay_telegram_chat_id": chats["telegram"],
        "alert_relay_telegram_base_url": telegram,
    }
    inventory = machine / "inventory"
    group = inventory / "group_vars" / "monitoring"
    group.mkdir(parents=True, exist_ok=True)
    secret_file = group / "chats.yml"
    secret_file.touch(mode=0o600)
    # JSON is YAML.
    secret_file.write_text(json.dumps(variables, indent=2) + "\n")
    hosts: dict[str, object] = {"monitoring": {"hosts": {machine.name: {}}}}
    (inventory / GROUP_FILE).write_text(json.dumps(hosts, indent=2) + "\n")


if __name__ == "__main__":
    join(BUILD / "machines" / sys.argv[1])
