#!/usr/bin/env python3
"""Hold a short bilingual conversation with a deployed assistant through its front door.

Usage: ``make -s demo-info | python -m tests.end_to_end.conversation -``. Each question goes the way a real
one goes: a Feishu event, encrypted and signed, or a Telegram update with its secret, posted over verified
TLS; the answer is awaited at the emulated platform.
"""

from __future__ import annotations

import argparse
import json
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

if not __package__:  # started as a script: make the repository's root importable
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import httpx

from tests.emulators import feishu_client, telegram_client
from tests.end_to_end.demo_info import DemoInfo, DemoInfoError, read

POLL_SECONDS = 0.25
QUESTIONS = (
    ("feishu", "你好,请介绍一下你自己。"),
    ("feishu", "How can you help our team?"),
    ("telegram", "Hello! What can you do?"),
    ("telegram", "明天天气怎么样?"),
)
LOOK = "look at `docker logs ai-core` and `journalctl -u nginx` on the machine"


class ConversationError(Exception):
    """The conversation failed; the text says where, why, and what to look at."""


@dataclass(frozen=True)
class Turn:
    """One question and its answer; ``seconds`` is from posting the question to seeing the answer."""

    platform: str
    question: str
    answer: str
    seconds: float


class Conversation:
    """Talks to one deployed assistant."""

    def __init__(self, info: DemoInfo, patience: float) -> None:
        """Prepare a user on each platform.

        Args:
            info: where the assistant and the emulators are.
            patience: seconds to wait for an answer.

        Raises:
            DemoInfoError: when the certificate authority's file is unusable.
        """
        self._info = info
        self._patience = patience
        self._tls = info.tls()
        self._feishu_user = feishu_client.FeishuUser()
        self._telegram_user = telegram_client.TelegramUser()
        self._askers: dict[str, Callable[[str], set[str]]] = {
            "feishu": self._ask_feishu,
            "telegram": self._ask_telegram,
        }

    def ask(self, platform: str, question: str) -> Turn:
        """Put a question and wait for its answer.

        Args:
            platform: ``feishu`` or ``telegram``.
            question: what the user writes.

        Returns:
            the turn.

        Raises:
            ConversationError: when the question is refused or no answer arrives.
        """
        emulator = {"feishu": self._info.feishu_emulator, "telegram": self._info.telegram_emulator}[platform]
        seen = {str(sent.get("message_id")) for sent in self._sent(platform, emulator)}
        begun = time.monotonic()
        ours = self._askers[platform](question)
        unfinished = ""
        while True:
            for sent in self._sent(platform, emulator):
                # Feishu's replies name the message, Telegram's the chat; either shows that it is ours.
                new = str(sent.get("message_id")) not in seen
                whole = not sent.get("streaming")
                if new and whole and ours & {str(sent.get("chat")), str(sent.get("reply_to"))}:
                    text = str(sent.get("text", ""))
                    # On Telegram an answer grows in its message; the rating buttons come with its end.
                    if platform != "telegram" or sent.get("keyboard"):
                        return self._turn(platform, question, text, time.monotonic() - begun)
                    unfinished = f", only this without its buttons: {text!r}"
            if time.monotonic() - begun > self._patience:
                raise ConversationError(
                    f"{platform}: the question was accepted but no answer reached {emulator} in"
                    f" {self._patience:g} s{unfinished}; {LOOK}, and check that the machine reaches that"
                    " address"
                )
            time.sleep(POLL_SECONDS)

    def _turn(self, platform: str, question: str, answer: str, seconds: float) -> Turn:
        if not answer.strip():
            raise ConversationError(f"{platform}: the answer to {question!r} is empty; {LOOK}")
        return Turn(platform, question, answer, round(seconds, 3))

    def _ask_feishu(self, question: str) -> set[str]:
        message_id = feishu_client.new_message_id()
        event = feishu_client.message_event(
            question,
            app_id=self._info.app_id,
            verification_token=self._info.verification_token,
            user=self._feishu_user,
            message_id=message_id,
        )
        response = self._post(
            "feishu",
            lambda: feishu_client.post_event(
                self._info.https_url, event, self._info.encrypt_key, verify=self._tls
            ),
        )
        self._expect_ok("feishu", response, "vault_feishu_encrypt_key and vault_feishu_verification_token")
        return {message_id, self._feishu_user.chat_id, self._feishu_user.open_id}

    def _ask_telegram(self, question: str) -> set[str]:
        update = telegram_client.message_update(question, user=self._telegram_user)
        url = f"{self._info.https_url}/{self._info.webhook_path.lstrip('/')}"
        response = self._post(
            "telegram",
            lambda: telegram_client.post_update(url, update, self._info.secret_token, verify=self._tls),
        )
        names = "vault_telegram_secret_token and assistant_telegram_webhook_path"
        self._expect_ok("telegram", response, names)
        return {str(self._telegram_user.user_id)}

    def _post(self, platform: str, post: Callable[[], httpx.Response]) -> httpx.Response:
        try:
            return post()
        except httpx.HTTPError as error:
            if isinstance(error.__cause__, ssl.SSLError) or "certificate" in str(error).lower():
                reason = f"the certificate of {self._info.https_url} is not trusted by {self._info.ca_file}"
                remedy = "compare ca_file with the machine's /etc/ai-assistant/tls/ca.crt"
            else:
                reason = f"{self._info.https_url} cannot be reached"
                remedy = LOOK
            kind = type(error).__name__
            raise ConversationError(f"{platform}: {reason} ({kind}: {error}); {remedy}") from error

    def _expect_ok(self, platform: str, response: httpx.Response, secrets: str) -> None:
        if response.status_code == 200:
            return
        remedy = f"check {secrets}" if response.status_code in (401, 403, 404) else LOOK
        raise ConversationError(
            f"{platform}: {response.request.url} answered {response.status_code}"
            f" {response.text[:200]!r} where 200 was expected; {remedy}"
        )

    def _sent(self, platform: str, emulator: str) -> list[dict[str, object]]:
        try:
            response = httpx.get(f"{emulator}/_sent", timeout=10.0, trust_env=False)
            response.raise_for_status()
            sent: list[dict[str, object]] = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ConversationError(
                f"{platform}: the emulator at {emulator} does not list what it got ({error});"
                " check that `python -m tests.emulators` runs there"
            ) from error
        return sent


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: arguments without the program's name; those of the process when None.

    Returns:
        the exit status: 0 when every question got its answer, else 1.
    """
    parser = argparse.ArgumentParser(description="Hold a conversation with the demo's assistant.")
    parser.add_argument("info", help="the demo's description: a JSON file, or - for standard input")
    parser.add_argument("--json", type=Path, help="also write the transcript to this file")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds to wait for an answer (120)")
    options = parser.parse_args(arguments)
    turns: list[Turn] = []
    failure = ""
    try:
        conversation = Conversation(read(options.info), options.timeout)
        for platform, question in QUESTIONS:
            print(f"[{platform}] you: {question}", flush=True)
            turns.append(conversation.ask(platform, question))
            print(f"[{platform}] assistant ({turns[-1].seconds:.1f} s): {turns[-1].answer}\n", flush=True)
    except (ConversationError, DemoInfoError) as error:
        failure = str(error)
        print(f"the conversation failed: {failure}", file=sys.stderr)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        document = {"ok": not failure, "failure": failure or None, "turns": [asdict(turn) for turn in turns]}
        options.json.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
