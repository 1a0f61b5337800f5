"""The assistant as a process that tests start, kill and look into."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
from sqlalchemy import create_engine, text

ROOT = Path(__file__).parents[3]
APP = ROOT / "app"
T = TypeVar("T")

APP_ID = "cli_a1b2c3d4e5f60001"
SECRETS = {
    "feishu_app_secret": "feishu-app-secret-0123456789abcdef",
    "feishu_encrypt_key": "feishu-encrypt-key-0123456789",
    "feishu_verification_token": "feishu-verification-token-0123",
    "telegram_bot_token": "123456789:AAE-abcdefghijklmnopqrstuvwxyz01234",
    "telegram_secret_token": "telegram_secret_token-0123456789",
    "api_token": "api-token-0123456789",
    "web_chat_access_code": "web-chat-access-code-0123",
}

# The app's own gunicorn settings, with a backend that waits while a file exists, and one that takes its time
# while another does: a test can be sure to be in mid-answer, or, with a third, in mid-load.
HELD_MODEL = """
exec(open({conf!r}, encoding="utf-8").read())
import os, time
from assistant.inference.embedded import EmbeddedBackend
_generate = EmbeddedBackend.generate
def generate(self, turns, options, *caller):
    if {word!r} in turns[-1].content:
        open({marker!r}, "a").write("x")
        while os.path.exists({hold!r}) and not self._stopping.is_set():
            time.sleep(0.02)
    return _generate(self, turns, options, *caller)
EmbeddedBackend.generate = generate
from assistant.inference.context import Context
_decode = Context.decode
def decode(self, chunks):
    if os.path.exists({slow!r}):
        time.sleep(0.02)
    while os.path.exists({frozen!r}):
        time.sleep(0.02)
    return _decode(self, chunks)
Context.decode = decode
"""


def until(what: str, condition: Callable[[], T], seconds: float = 60) -> T:
    """Return the first true value of ``condition``; fail with ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what}: did not happen within {seconds} s")


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Assistant:
    """One installation: settings, secrets, a database, and the process while it runs."""

    def __init__(self, directory: Path, model: Path, database_url: str, settings: dict[str, str]) -> None:
        self.directory = directory
        self.database_url = database_url
        secrets = directory / "secrets"
        secrets.mkdir()
        for name, value in SECRETS.items():
            (secrets / name).write_text(value + "\n")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(APP),
            "PYTHONDONTWRITEBYTECODE": "1",
            "GUNICORN_BIND": f"127.0.0.1:{self.port}",
            "MODEL_PATH": str(model),
            "ASSISTANT_SECRETS_DIR": str(secrets),
            "ASSISTANT_DATABASE_URL": database_url,
            "ASSISTANT_CONTEXT_TOKENS": "512",
            "ASSISTANT_MAX_TOKENS": "16",
            "ASSISTANT_SYSTEM_PROMPT": "Answer briefly.",
            "ASSISTANT_LOG_LEVEL": "debug",
            # Tests ask the same again and mean the model.
            "ASSISTANT_ANSWER_CACHE_SECONDS": "0",
            "ASSISTANT_WEB_CHAT_ACCESS": "open",
            **settings,
        }
        self.log_path = directory / "log"
        self.hold = directory / "hold"
        self.slow = directory / "slow"
        self.frozen = directory / "frozen"
        self.marker = directory / "marker"
        self.conf = directory / "gunicorn.conf.py"
        self.conf.write_text(
            HELD_MODEL.format(
                conf=str(APP / "gunicorn.conf.py"),
                word="HOLD",
                marker=str(self.marker),
                hold=str(self.hold),
                slow=str(self.slow),
                frozen=str(self.frozen),
            )
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> None:
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", str(self.conf)],
                cwd=APP,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if wait:
            self.await_ready()

    def await_ready(self) -> None:
        until("the assistant is ready", self.ready)

    def ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the assistant ended:\n{self.log()}"
        try:
            return httpx.get(f"{self.url}/readyz", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """kill -9 for the whole process group: master and worker end between two instructions."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        return self.process.returncode

    def command(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Give a command, as in this installation's container."""
        return subprocess.run(
            [sys.executable, "-m", "assistant", *words],
            cwd=APP,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def rows(self, query: str) -> list[Any]:
        engine = create_engine(self.database_url)
        try:
            with engine.connect() as connection:
                return list(connection.execute(text(query)))
        finally:
            engine.dispose()

    def execute(self, statement: str) -> None:
        engine = create_engine(self.database_url)
        try:
            with engine.begin() as connection:
                connection.execute(text(statement))
        finally:
            engine.dispose()

    def count(self, table: str) -> int:
        return int(self.rows(f"SELECT count(*) FROM {table}")[0][0])

    def post(self, path: str, **arguments: Any) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", trust_env=False, timeout=30, **arguments)

    def get(self, path: str, **arguments: Any) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", trust_env=False, timeout=30, **arguments)
