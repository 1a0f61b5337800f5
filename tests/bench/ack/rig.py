"""The whole way on one machine: nginx as the role configures it, the app under gunicorn, both platforms."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from assistant.messages import Incoming
from assistant.store import Database, Inbox, migrate
from tests.bench.ack.arrivals import Door
from tests.integration.app.process import APP_ID, SECRETS, Assistant
from tests.unit.roles.playbook import render
from tools.controller.cache import ROOT
from tools.controller.failure import StageFailure
from tools.controller.model import DEMO_MODEL

DOMAIN = "assistant.example.org"
# As in inventory/demo.
PARALLEL = 4
SETTINGS = {
    "ASSISTANT_PARALLEL": str(PARALLEL),
    "ASSISTANT_CONTEXT_TOKENS": "1024",
    "ASSISTANT_MAX_TOKENS": "128",
    "ASSISTANT_LOG_LEVEL": "info",
    "ASSISTANT_ANSWER_CACHE_SECONDS": "3600",
    "ASSISTANT_PUBLIC_URL": f"https://{DOMAIN}",
    "ASSISTANT_FEISHU_ENABLED": "true",
    "ASSISTANT_FEISHU_APP_ID": APP_ID,
    "ASSISTANT_TELEGRAM_ENABLED": "true",
}
# The platforms' limits on what the assistant sends are lifted: they are no property of the assistant.
NO_LIMIT = 100_000
# Those who write and the platforms are other machines in life: what stands for them here goes first. The
# assistant and nginx go before whatever else this machine does, which is no part of the measurement.
OUTSIDE_PRIORITY, INSIDE_PRIORITY = -18, -8


@dataclass(frozen=True)
class Rig:
    """All of it, running."""

    door: Door
    assistant: Assistant
    feishu: str
    telegram: str

    def metric(self, name: str, label: str = "") -> float:
        """Return a metric of the app; 0 while it has not been counted."""
        text = self.assistant.get("/metrics").text
        found = re.search(rf"^{name}{re.escape(label)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def received(self) -> dict[str, float]:
        """Return when the platforms got the reply to each message, in seconds since 1970."""
        times: dict[str, float] = {}
        for url in (self.feishu, self.telegram):
            for sent in httpx.get(f"{url}/_sent", trust_env=False, timeout=60).json():
                times.setdefault(str(sent["reply_to"]), float(sent["at"]))
        return times

    def forget(self) -> None:
        """Make the platforms forget what they got."""
        for url in (self.feishu, self.telegram):
            httpx.post(f"{url}/_reset", trust_env=False, timeout=60).raise_for_status()


@contextmanager
def going_first() -> Iterator[bool]:
    """Give this session the outside's priority during the block; False where that is not allowed."""
    done = prefer(os.getpid(), OUTSIDE_PRIORITY)
    try:
        yield done
    finally:
        prefer(os.getpid(), 0)


def prefer(process: int, priority: int) -> bool:
    """Give the session of ``process`` a priority, from -20 (first) to 19; False where that is not allowed.

    Linux shares the cores between sessions, and a process's own nice value counts within its session alone
    (sched(7), "The autogroup feature").
    """
    try:
        Path(f"/proc/{process}/autogroup").write_text(f"{priority}\n")
    except OSError:
        return False
    return True


@contextmanager
def assembled(
    folder: Path, configuration: str, queued: list[str], more: dict[str, str] | None = None
) -> Iterator[Rig]:
    """Start everything afresh, with ``queued`` messages in the inbox that wait for the model.

    Args:
        folder: an empty one, for the database, the logs and the certificate.
        configuration: nginx's, see ``nginx_configuration``.
        queued: the texts of messages that were received before.
        more: settings of the app beside its own here.

    Raises:
        StageFailure: a part did not start; the text holds its log.
    """
    with ExitStack() as held:
        feishu, telegram = held.enter_context(platforms(folder))
        settings = {"ASSISTANT_FEISHU_BASE_URL": feishu, "ASSISTANT_TELEGRAM_BASE_URL": telegram}
        place = folder / "assistant"
        place.mkdir()
        url = f"sqlite:///{place}/assistant.db"
        _queue(url, queued)
        assistant = Assistant(place, DEMO_MODEL, url, {**SETTINGS, **settings, **(more or {})})
        # Its own settings, without what the tests put in between.
        assistant.conf = ROOT / "app" / "gunicorn.conf.py"
        https = held.enter_context(nginx_running(folder, configuration, assistant.port))
        _start(assistant)
        held.callback(assistant.stop)
        trust = ssl.create_default_context(cafile=str(folder / "server.crt"))
        yield Rig(Door("127.0.0.1", https, DOMAIN, trust), assistant, feishu, telegram)


def _start(assistant: Assistant) -> None:
    assistant.start(wait=False)
    assert assistant.process is not None
    prefer(assistant.process.pid, INSIDE_PRIORITY)
    deadline = time.monotonic() + 120
    while not assistant.ready():
        if time.monotonic() > deadline:
            raise StageFailure(f"the assistant is not ready:\n{assistant.log()[-3000:]}", "see its log")
        time.sleep(0.2)


def _queue(url: str, texts: list[str]) -> None:
    database = Database(url)
    migrate(database)
    inbox = Inbox(database, 15.0)
    for number, text in enumerate(texts):
        user = 2 * 10**8 + number % 200
        inbox.accept(Incoming("telegram", f"{user}:{number}", str(user), text, reply_to=str(number)))
    database.close()


@contextmanager
def platforms(folder: Path) -> Iterator[tuple[str, str]]:
    """Run both emulated platforms; yields the addresses of Feishu's and Telegram's.

    Raises:
        StageFailure: they did not start.
    """
    config = folder / "emulators.json"
    config.write_text(
        json.dumps(
            {
                "feishu": {
                    "app_id": APP_ID,
                    "app_secret": SECRETS["feishu_app_secret"],
                    "encrypt_key": SECRETS["feishu_encrypt_key"],
                    "verification_token": SECRETS["feishu_verification_token"],
                    "chat_rate": NO_LIMIT,
                    "total_rate": NO_LIMIT,
                },
                "telegram": {
                    "bot_token": SECRETS["telegram_bot_token"],
                    "secret_token": SECRETS["telegram_secret_token"],
                    "chat_rate": NO_LIMIT,
                    "chat_burst": NO_LIMIT,
                    "total_rate": NO_LIMIT,
                },
            }
        )
    )
    command = [sys.executable, "-m", "tests.emulators", "--feishu-port", "0", "--telegram-port", "0"]
    process = subprocess.Popen(
        [*command, "--config", str(config)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        urls = [process.stdout.readline().split() for _ in range(2)]
        if [len(words) for words in urls] != [2, 2]:
            raise StageFailure("the emulated platforms did not start", f"{' '.join(command)} says why")
        yield urls[0][1], urls[1][1]
    finally:
        process.terminate()
        process.wait(20)


def nginx_configuration(folder: Path, more: Mapping[str, object] | None = None) -> str:
    """Return the role's own configuration with its own defaults; ``folder`` is for Ansible's files.

    ``more`` are values of the role's variables beside those. What a test machine must have otherwise (ports,
    paths) is put in by ``nginx_running``.
    """
    values = {
        "proxy_domain": DOMAIN,
        "proxy_tls_mode": "self_signed",
        "proxy_http_port": "@HTTP@",
        "proxy_https_port": "@HTTPS@",
        "proxy_upstream": "127.0.0.1:@APP@",
        "_proxy_tls": "@FOLDER@",
    }
    return render(folder, "proxy", "nginx.conf.j2", {**values, **(more or {})})


@contextmanager
def nginx_running(folder: Path, configuration: str, app_port: int) -> Iterator[int]:
    """Run nginx before the app on ``app_port``; yields its TLS port (its certificate is ``server.crt``)."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-keyout", str(folder / "server.key"), "-out", str(folder / "server.crt")]
    command += ["-subj", f"/CN={DOMAIN}", "-addext", f"subjectAltName=DNS:{DOMAIN}"]
    subprocess.run(command, check=True, capture_output=True)
    http, https = _free_ports(2)
    text = configuration.replace("/var/log/nginx", str(folder)).replace("/run/", f"{folder}/")
    for mark, value in (("HTTPS", https), ("HTTP", http), ("APP", app_port), ("FOLDER", folder)):
        text = text.replace(f"@{mark}@", str(value))
    path = folder / "nginx.conf"
    path.write_text(text)
    log = folder / "error.log"
    command = ["nginx", "-g", "daemon off;", "-c", str(path), "-e", str(log)]
    process = subprocess.Popen(command, start_new_session=True)
    prefer(process.pid, INSIDE_PRIORITY)
    try:
        deadline = time.monotonic() + 20
        while not _listens(https):
            if process.poll() is not None or time.monotonic() > deadline:
                raise StageFailure(f"nginx did not start:\n{log.read_text()[-2000:]}", f"nginx -t -c {path}")
            time.sleep(0.05)
        yield https
    finally:
        process.terminate()
        process.wait(20)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
