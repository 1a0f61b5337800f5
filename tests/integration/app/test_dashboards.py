from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.emulators.feishu_client import FeishuUser
from tests.emulators.telegram_client import TelegramUser
from tests.integration.app.conftest import Maker, Platforms
from tests.integration.app.process import SECRETS, Assistant
from tests.integration.app.prometheus import watched
from tests.monitoring_queries import WITHOUT_PUBLIC_ADDRESS, problems

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("prometheus-node-exporter") is None,
    reason="prometheus and prometheus-node-exporter are not installed; make checkers installs them",
)


@pytest.fixture(scope="module")
def chatty(make_assistant: Maker, platforms: Platforms) -> Assistant:
    made = make_assistant({**platforms.settings(), "ASSISTANT_ANSWER_CACHE_SECONDS": "300"})
    made.start()
    return made


def talk(assistant: Assistant, platforms: Platforms) -> None:
    """Say something on three channels; two people ask the same first question, which the cache knows then."""
    before = len([sent for sent in platforms.sent(platforms.feishu) if not sent["streaming"]])
    for _ in range(2):
        event = platforms.feishu_event("hello there", user=FeishuUser())
        platforms.post_feishu(assistant, event).raise_for_status()
        before += 1
        platforms.wait_for(platforms.feishu, before)
    platforms.post_telegram(assistant, "good morning", user=TelegramUser(4711)).raise_for_status()
    answer = assistant.post(
        "/v1/chat/completions",
        headers={"Authorization": f"Bearer {SECRETS['api_token']}"},
        json={"model": "assistant", "messages": [{"role": "user", "content": "How are you?"}]},
    )
    answer.raise_for_status()


@pytest.fixture(scope="module")
def prometheus(
    chatty: Assistant, platforms: Platforms, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("prometheus")
    with watched(folder, f"127.0.0.1:{chatty.port}") as url:
        yield url


def test_every_query_has_an_answer_from_the_running_assistant(
    prometheus: str, chatty: Assistant, platforms: Platforms
) -> None:
    # Rules over a minute and rates need some scrapes after the conversation: ask until all is there.
    deadline = time.monotonic() + 120
    found = ["not asked yet"]
    while found and time.monotonic() < deadline:
        talk(chatty, platforms)
        found = problems(prometheus, shown=300, scrape=1, also_empty=WITHOUT_PUBLIC_ADDRESS)
        if any("no data" not in problem for problem in found):
            break  # a refused query is refused the next time too
        time.sleep(2 if found else 0)
    assert not found, "\n".join(found)


def test_a_panel_without_data_and_a_wrong_query_are_found(prometheus: str, tmp_path: Path) -> None:
    board = """{"uid": "x", "annotations": {"list": []}, "templating": {"list": []}, "panels": [
      {"type": "stat", "title": "gone", "targets": [{"refId": "A", "expr": "assistant_is_gone_total"}]},
      {"type": "stat", "title": "nan", "targets": [{"refId": "A", "expr": "0 * vector(NaN)"}]},
      {"type": "stat", "title": "wrong", "targets": [{"refId": "A", "expr": "sum(up", "instant": true}]},
      {"type": "stat", "title": "well", "targets": [{"refId": "A", "expr": "up", "instant": true}]}]}"""
    (tmp_path / "x.json").write_text(board)
    found = [line for line in problems(prometheus, folder=tmp_path, scrape=1) if line.startswith("x/")]
    assert [line.split(":")[0] for line in found] == ["x/gone/A", "x/nan/A", "x/wrong/A"]
    assert "no data" in found[0] and "no data" in found[1] and "parse error" in found[2]


def test_what_cannot_be_reached_is_said(tmp_path: Path) -> None:
    with pytest.raises(httpx.TransportError):
        problems("http://127.0.0.1:9")
