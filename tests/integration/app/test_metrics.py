"""What a scrape shows of a real process: metrics move with what people do, and no person adds a series."""

import itertools
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from assistant.answers.question import normalised
from assistant.store.model_loads import DIED, LEASE_SECONDS
from tests.emulators.feishu_client import PATH as FEISHU_PATH
from tests.emulators.feishu_client import FeishuUser, sealed
from tests.emulators.model_server import ModelServer, Trouble, make_model_app
from tests.emulators.server import Server
from tests.emulators.telegram_client import SECRET_HEADER, TelegramUser, message_update
from tests.integration.app.conftest import Maker, Platforms
from tests.integration.app.process import SECRETS, Assistant, until
from tests.integration.app.test_waiting import with_model_server

API = {"Authorization": f"Bearer {SECRETS['api_token']}"}
PEOPLE = 1000
numbers = itertools.count(10_000)


class Scrape:
    """All samples of one scrape, by name and labels."""

    def __init__(self, assistant: Assistant) -> None:
        self.values = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(assistant.get("/metrics").text)
            for sample in family.samples
        }

    def has(self, *names: str) -> bool:
        return set(names) <= {name for name, _ in self.values}

    def __call__(self, name: str, **labels: str) -> float:
        return self.values.get((name, tuple(sorted(labels.items()))), 0.0)


@pytest.fixture(scope="module")
def observed(make_assistant: Maker, platforms: Platforms) -> Assistant:
    """An assistant with all channels and the answer cache."""
    made = make_assistant({**platforms.settings(), "ASSISTANT_ANSWER_CACHE_SECONDS": "3600"})
    made.start()
    # All series are there once the database was read and the load is counted.
    until("it is warm", lambda: Scrape(made).has("assistant_dead_letters", "assistant_model_loads_total"))
    return made


def grown(assistant: Assistant, before: Scrape, name: str, by: float = 1, **labels: str) -> None:
    """Wait until a metric is ``by`` above what it was."""
    until(
        f"{name}{labels} grows by {by}",
        lambda: Scrape(assistant)(name, **labels) - before(name, **labels) >= by,
    )
    assert Scrape(assistant)(name, **labels) - before(name, **labels) == by


def ask_web(assistant: Assistant, text: str) -> int:
    name = f"message-{next(numbers)}"
    return assistant.post("/chat/messages", json={"id": name, "text": text}).status_code


def ask_api(assistant: Assistant, **more: object) -> int:
    message = {"role": "user", "content": "Hello"}
    body = {"messages": [message], "max_tokens": 4, **more}
    return assistant.post("/v1/chat/completions", json=body, headers=API).status_code


def test_promtool_finds_nothing_to_complain_about(observed: Assistant) -> None:
    promtool = shutil.which("promtool")
    assert promtool, "promtool is missing: make checkers installs it"
    text = observed.get("/metrics").text
    found = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout + found.stderr) == (0, "")


def test_the_state_is_shown(observed: Assistant) -> None:
    until("the database was read", lambda: ("assistant_dead_letters", ()) in Scrape(observed).values)
    scrape = Scrape(observed)
    assert scrape("assistant_ready") == 1
    assert scrape("assistant_batch_slots") > 0
    assert scrape("assistant_kv_tokens") >= scrape("assistant_kv_tokens_used") > 0
    assert scrape("process_start_time_seconds") > 0
    model = Path(observed.environment["MODEL_PATH"]).resolve().stem
    assert scrape("assistant_model_info", model=model, arm="stable") == 1
    until(
        "the load is counted",
        lambda: Scrape(observed)("assistant_model_loads_total", model=model, result="success") == 1,
    )


@pytest.mark.parametrize("channel", ["feishu", "telegram", "web", "api"])
def test_a_question_moves_its_channels_metrics(
    observed: Assistant, platforms: Platforms, channel: str
) -> None:
    before = Scrape(observed)
    text = f"A question by {channel}"
    if channel == "feishu":
        assert platforms.post_feishu(observed, platforms.feishu_event(text)).status_code == 200
    elif channel == "telegram":
        user = TelegramUser(next(numbers))
        assert platforms.post_telegram(observed, text, user=user).status_code == 200
    elif channel == "web":
        assert ask_web(observed, text) == 202
    else:
        assert ask_api(observed) == 200
    grown(observed, before, "assistant_answer_seconds_count", channel=channel, arm="stable")
    grown(observed, before, "assistant_messages_total", channel=channel, outcome="answered", arm="stable")
    grown(observed, before, "assistant_requests_total", channel=channel, outcome="accepted")
    grown(observed, before, "assistant_ack_seconds_count", channel=channel)
    grown(observed, before, "assistant_generation_seconds_count", arm="stable")
    if channel in {"feishu", "telegram"}:
        grown(observed, before, "assistant_replies_total", channel=channel, outcome="sent")
    scrape = Scrape(observed)
    for kind in ("prompt", "completion"):
        name = "assistant_tokens_total"
        assert scrape(name, kind=kind, arm="stable") > before(name, kind=kind, arm="stable")
    first = "assistant_time_to_first_token_seconds_count"
    assert scrape(first, arm="stable") - before(first, arm="stable") <= 1


def test_an_answer_takes_as_long_as_its_message_waited(observed: Assistant) -> None:
    before = Scrape(observed)
    observed.hold.touch()
    try:
        marks = observed.marker.stat().st_size if observed.marker.exists() else 0
        assert ask_web(observed, "HOLD this one") == 202
        until(
            "it is being answered",
            lambda: observed.marker.exists() and observed.marker.stat().st_size > marks,
        )
        until("it is shown as waiting", lambda: Scrape(observed)("assistant_inbox_waiting") == 1)
        until("and gets older", lambda: Scrape(observed)("assistant_inbox_oldest_seconds") > 1)
        # Nothing of an acknowledgement waits for the answer.
        grown(observed, before, "assistant_ack_seconds_count", channel="web")
        acknowledged = Scrape(observed)("assistant_ack_seconds_sum", channel="web")
    finally:
        observed.hold.unlink()
    grown(observed, before, "assistant_answer_seconds_count", channel="web", arm="stable")
    name = "assistant_answer_seconds_sum"
    waited = Scrape(observed)(name, channel="web", arm="stable") - before(name, channel="web", arm="stable")
    assert waited > 1
    assert acknowledged - before("assistant_ack_seconds_sum", channel="web") < waited
    until("nothing waits", lambda: Scrape(observed)("assistant_inbox_waiting") == 0)
    assert Scrape(observed)("assistant_inbox_oldest_seconds") == 0


def test_what_is_no_question_is_counted_as_what_it_is(observed: Assistant, platforms: Platforms) -> None:
    before = Scrape(observed)
    event = platforms.feishu_event("/help", message_id="om_metrics_twice", user=FeishuUser())
    for _ in range(2):
        platforms.post_feishu(observed, event)
    grown(observed, before, "assistant_requests_total", channel="feishu", outcome="duplicate")
    grown(observed, before, "assistant_messages_total", channel="feishu", outcome="command", arm="stable")
    assert observed.post("/telegram/webhook", json={"update_id": 1}).status_code == 401
    grown(observed, before, "assistant_requests_total", channel="telegram", outcome="rejected")
    assert ask_api(observed, messages=[]) == 400
    grown(observed, before, "assistant_requests_total", channel="api", outcome="rejected")
    grown(observed, before, "assistant_http_responses_total", 2, code="4xx")
    headers = {"X-Telegram-Bot-Api-Secret-Token": SECRETS["telegram_secret_token"]}
    assert observed.post("/telegram/webhook", json={"update_id": 2}, headers=headers).status_code == 200
    grown(observed, before, "assistant_requests_total", channel="telegram", outcome="ignored")
    assert observed.get("/nothing/here").status_code == 404
    assert (
        Scrape(observed)("assistant_ack_seconds_count", channel="telegram")
        == before("assistant_ack_seconds_count", channel="telegram") + 1
    ), "nobody is acknowledged who was refused"


def test_replies_that_a_platform_does_not_take(observed: Assistant, platforms: Platforms) -> None:
    before = Scrape(observed)
    platforms.fail(platforms.telegram, match="sendMessage", status=502)
    platforms.post_telegram(observed, "/help", user=TelegramUser(next(numbers)))
    grown(observed, before, "assistant_replies_total", channel="telegram", outcome="retried")
    grown(observed, before, "assistant_replies_total", channel="telegram", outcome="sent")


@pytest.fixture
def remote(make_assistant: Maker, platforms: Platforms) -> Iterator[tuple[Assistant, ModelServer]]:
    state = ModelServer()
    with Server(make_model_app(state), "127.0.0.1", 0) as server:
        subject = with_model_server(
            make_assistant, platforms, state, server, ASSISTANT_ANSWER_CACHE_SECONDS="3600"
        )
        yield subject, state
        assert subject.stop() == 0


def test_a_known_answer_is_counted_as_one(remote: tuple[Assistant, ModelServer]) -> None:
    assistant, _ = remote
    before = Scrape(assistant)
    for count in (1, 2):
        assert ask_web(assistant, "What can you do?") == 202
        grown(assistant, before, "assistant_answer_seconds_count", count, channel="web", arm="stable")
    for result in ("miss", "hit"):
        grown(assistant, before, "assistant_answer_cache_total", result=result)
    grown(assistant, before, "assistant_cached_answer_seconds_count", channel="web")
    grown(assistant, before, "assistant_messages_total", channel="web", outcome="cached", arm="stable")
    grown(assistant, before, "assistant_messages_total", channel="web", outcome="answered", arm="stable")


def test_a_pinned_answer_is_counted_alike_in_a_chat_and_for_an_api_call(
    remote: tuple[Assistant, ModelServer],
) -> None:
    assistant, model = remote

    def cache(*words: str) -> str:
        done = assistant.command("cache", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    cache("pin", "--question", "Is it pinned?", "--answer", "Yes.")
    body = {"messages": [{"role": "user", "content": "is it PINNED ?"}]}

    def call(**more: object) -> str:
        response = assistant.post("/v1/chat/completions", json={**body, **more}, headers=API)
        assert response.status_code == 200
        return response.headers["X-Cache"]

    until("the pin is seen", lambda: call() == "pinned")
    until("the calls before it have ended", lambda: Scrape(assistant)("assistant_inbox_waiting") == 0)
    asked = len(model.asked)
    for channel, times in (("web", 1), ("api", 2)):
        before = Scrape(assistant)
        if channel == "web":
            assert ask_web(assistant, "Is it pinned?") == 202
        else:
            assert [call(), call(stream=True)] == ["pinned", "pinned"]
        grown(
            assistant,
            before,
            "assistant_messages_total",
            times,
            channel=channel,
            outcome="cached",
            arm="stable",
        )
        grown(assistant, before, "assistant_requests_total", times, channel=channel, outcome="accepted")
        grown(assistant, before, "assistant_answer_cache_total", times, result="hit")
        grown(assistant, before, "assistant_cached_answer_seconds_count", times, channel=channel)
        grown(assistant, before, "assistant_answer_seconds_count", times, channel=channel, arm="stable")
        assert Scrape(assistant)("assistant_answer_cache_total", result="miss") == before(
            "assistant_answer_cache_total", result="miss"
        )
    assert len(model.asked) == asked
    until(
        "all of them are among the frequent questions",
        lambda: _frequent(cache("top", "--json", "--askers", "1"), "Is it pinned?") == (asked + 4, 4),
    )


def _frequent(top: str, question: str) -> tuple[int, int]:
    """How often a question was asked, and how often without the model."""
    (row,) = [r for r in json.loads(top)["questions"] if normalised(r["question"]) == normalised(question)]
    return row["asked"], row["without_model"]


def test_failures_of_a_model_elsewhere(remote: tuple[Assistant, ModelServer]) -> None:
    assistant, state = remote
    before = Scrape(assistant)
    state.fail(*[Trouble(status=400) for _ in range(20)])
    assert ask_api(assistant) == 503
    grown(assistant, before, "assistant_engine_errors_total", arm="stable", kind="request")
    grown(assistant, before, "assistant_messages_total", channel="api", outcome="failed", arm="stable")
    grown(assistant, before, "assistant_http_responses_total", code="5xx")
    until("it is a dead letter", lambda: Scrape(assistant)("assistant_dead_letters") == 1)
    names = {name for name, _ in Scrape(assistant).values}
    # It loads no model and has no cache of its own.
    assert not names & {"assistant_model_loads_total", "assistant_kv_tokens"}
    assert "assistant_batch_slots" in names


def test_a_process_that_dies_while_it_loads_is_a_failed_load(
    make_assistant: Maker, platforms: Platforms, any_database: str
) -> None:
    assistant = make_assistant(platforms.settings(), any_database)
    assistant.frozen.touch()
    assistant.start(wait=False)
    until("the load begins", lambda: _attempts(assistant) == [("loading", "")])
    assistant.kill()
    assistant.frozen.unlink()
    assert _attempts(assistant) == [("loading", "")], "nobody was left to write anything"
    # As if half a minute had passed.
    assistant.execute(f"UPDATE model_load_attempts SET lease_until = lease_until - {2 * LEASE_SECONDS}")
    assistant.start()
    model = Path(assistant.environment["MODEL_PATH"]).resolve().stem
    for result in ("failure", "success"):
        until(
            f"one {result}",
            lambda r=result: Scrape(assistant)("assistant_model_loads_total", model=model, result=r) == 1,  # type: ignore[misc]  # mypy cannot infer defaults
        )
    assert _attempts(assistant) == [("failure", DIED), ("success", "")]
    assert assistant.stop() == 0


def status(assistant: Assistant, *arguments: str) -> subprocess.CompletedProcess[str]:
    return assistant.command("status", "--url", f"{assistant.url}/metrics", *arguments)


def test_status_is_one_screen(remote: tuple[Assistant, ModelServer]) -> None:
    assistant, state = remote
    until("it is warm", lambda: Scrape(assistant).has("assistant_dead_letters"))
    assert ask_api(assistant) == 200
    shown = status(assistant)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "READY" in shown.stdout
    assert "accepted 1" in shown.stdout
    assert "ATTENTION" not in shown.stdout
    assert len(shown.stdout.splitlines()) <= 24
    assert max(map(len, shown.stdout.splitlines())) <= 100
    state.fail(*[Trouble(status=400) for _ in range(20)])
    assert ask_api(assistant) == 503
    until("it is a dead letter", lambda: Scrape(assistant)("assistant_dead_letters") == 1)
    shown = status(assistant, "--json")
    assert shown.returncode == 1
    found = json.loads(shown.stdout)
    assert (found["dead_letters"], found["messages"]["failed"], found["model"]) == (1, 1, "first-model")
    assert "1 given up" in found["problems"][0]


def test_status_of_nothing(make_assistant: Maker) -> None:
    assistant = make_assistant({})
    for arguments in ([], ["--json"]):
        shown = status(assistant, *arguments)
        assert shown.returncode == 2
        assert "does the container run?" in shown.stdout + shown.stderr
        assert "Traceback" not in shown.stderr


def _attempts(assistant: Assistant) -> list[tuple[str, str]]:
    try:
        rows = assistant.rows("SELECT result, reason FROM model_load_attempts ORDER BY id")
    except Exception:
        # The table is made when it starts.
        return []
    return [(str(result), str(reason)) for result, reason in rows]


def message_of(platforms: Platforms, number: int) -> tuple[str, bytes, dict[str, str]]:
    """A message by a person who never wrote before: a command, since the model would need minutes for all."""
    if number % 3 == 0:
        event = platforms.feishu_event("/help", user=FeishuUser())
        return (FEISHU_PATH, *sealed(event, SECRETS["feishu_encrypt_key"]))
    headers = {"Content-Type": "application/json", SECRET_HEADER: SECRETS["telegram_secret_token"]}
    if number % 3 == 1:
        user = TelegramUser(next(numbers), first_name=f"Person {number}")
        return "/telegram/webhook", json.dumps(message_update("/help", user=user)).encode(), headers
    body = {"id": f"message-{next(numbers)}", "text": "/help"}
    return "/chat/messages", json.dumps(body).encode(), headers


def test_a_thousand_people_add_no_series(observed: Assistant, platforms: Platforms) -> None:
    before = set(Scrape(observed).values)
    counted = Scrape(observed)("assistant_requests_total", channel="feishu", outcome="accepted")
    # One connection: making a new one a thousand times takes longer than all the rest.
    with httpx.Client(base_url=observed.url, trust_env=False, timeout=30) as client:
        for number in range(PEOPLE):
            path, body, headers = message_of(platforms, number)
            assert client.post(path, content=body, headers=headers).is_success
            client.cookies.clear()
    accepted = Scrape(observed)("assistant_requests_total", channel="feishu", outcome="accepted")
    assert accepted - counted == len(range(0, PEOPLE, 3)), "they were all counted"
    assert set(Scrape(observed).values) == before
