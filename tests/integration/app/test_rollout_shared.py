"""A rollout of two whole processes on one PostgreSQL: one judges, both choose alike, either may be killed."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.emulators.model_server import ModelServer, make_model_app
from tests.emulators.server import Server
from tests.integration.app.conftest import Maker
from tests.integration.app.process import SECRETS, Assistant, until
from tests.integration.app.rollouts import QUICK
from tests.integration.app.test_web_chat import Visitor

HEADERS = {"Authorization": f"Bearer {SECRETS['api_token']}"}
JUDGE_SECONDS = 0.5
# Who writes into the rollout's row: PostgreSQL is told each process' name in its database address.
WATCH = """
CREATE TABLE watched (id bigserial, who text, what text, keeper text, seconds float);
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.keeper <> OLD.keeper THEN
    INSERT INTO watched (who, what, keeper) VALUES (current_setting('application_name'), 'took', NEW.keeper);
  END IF;
  IF NEW.judged_at <> OLD.judged_at THEN
    INSERT INTO watched (who, what, keeper, seconds)
    VALUES (current_setting('application_name'), 'judged', NEW.keeper, NEW.judged_at - OLD.judged_at);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER watch AFTER UPDATE ON rollouts FOR EACH ROW EXECUTE FUNCTION watch();
"""


@dataclass
class Seen:
    """By which models each conversation was answered, and by which processes."""

    models: dict[Any, set[str]] = field(default_factory=lambda: defaultdict(set))
    processes: dict[Any, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, conversation: Any, reply: str) -> None:
        model, process = reply.split(" for ")
        self.models[conversation].add(model)
        self.processes[conversation].add(process)
        assert len(self.models[conversation]) == 1, "another model in the same conversation"

    def by_both(self, model: str) -> list[Any]:
        """The conversations of ``model`` that both processes have answered."""
        return [c for c, models in self.models.items() if models == {model} and len(self.processes[c]) == 2]


class Twins:
    """Two processes of the stable model on one database, and the candidate; models that say who asks them."""

    def __init__(self, one: Assistant, two: Assistant, candidate: Assistant, model: ModelServer) -> None:
        self.processes = {"one": one, "two": two}
        self.candidate, self.candidates_model = candidate, model
        self._strangers = count()

    def start_rollout(self) -> None:
        rules = {
            **QUICK,
            "judge_seconds": str(JUDGE_SECONDS),
            "unreachable_seconds": "3",
            "hours": "24",
            "share": "0.5",
        }
        start = ("rollout", "start", "--candidate", "new", "--url", f"{self.candidate.url}/v1")
        done = self.processes["one"].command(*start, *(f"--set={n}={v}" for n, v in rules.items()))
        assert done.returncode == 0, done.stderr

    def rows(self, query: str) -> list[Any]:
        return self.processes["one"].rows(query)

    def await_state(self, state: str) -> str:
        """Wait until the rollout is in ``state``; returns the reason."""
        query = f"SELECT reason FROM rollouts WHERE state = '{state}'"
        return str(until(f"the rollout is {state}", lambda: self.rows(query))[0][0])

    def judgements(self) -> list[str]:
        """Who judged, each time: always the holder of the lease, and never twice in one period."""
        judged, holders = [], {}
        for who, what, keeper, seconds in self.rows(
            "SELECT who, what, keeper, seconds FROM watched ORDER BY id"
        ):
            if what == "took":
                holders[keeper] = who
            else:
                assert holders[keeper] == who, "another process than the lease's judged"
                assert seconds >= JUDGE_SECONDS, "twice in one period"
                judged.append(who)
        return judged

    def call(self, name: str, user: str) -> str:
        body = {"messages": [{"role": "user", "content": "Hello"}], "user": user}
        response = self.processes[name].post("/v1/chat/completions", json=body, headers=HEADERS)
        assert response.status_code == 200, response.text
        return str(response.json()["choices"][0]["message"]["content"])

    def reaches_candidate(self, name: str) -> bool:
        """Whether a process has the candidate answer somebody new: none follows a rollout at once."""
        return self.call(name, f"stranger {next(self._strangers)}") == f"candidate for {name}"


def says(name: str) -> Callable[[dict[str, Any]], list[str]]:
    """Answer with the model's name and the system prompt, which is that of the process that asks."""
    return lambda body: [f"{name} for {body['messages'][0]['content']}"]


@pytest.fixture
def twins(make_assistant: Maker, new_postgres_database: Callable[[], str], tmp_path: Path) -> Iterator[Twins]:
    database = new_postgres_database()
    stable, candidate = ModelServer(answer=says("stable")), ModelServer(answer=says("candidate"))
    with (
        Server(make_model_app(stable), "127.0.0.1", 0) as first,
        Server(make_model_app(candidate), "127.0.0.1", 0) as second,
    ):

        def made(server: Server, model: ModelServer, url: str, prompt: str) -> Assistant:
            settings = {"MODEL_PATH": "", "ASSISTANT_BACKEND_URL": f"{server.url}/v1"}
            subject = make_assistant({**settings, "ASSISTANT_SYSTEM_PROMPT": prompt}, url)
            for name, secret in (
                ("backend_api_key", model.key),
                ("candidate_api_token", SECRETS["api_token"]),
            ):
                (subject.directory / "secrets" / name).write_text(secret + "\n")
            subject.start(wait=False)
            return subject

        subject = Twins(
            made(first, stable, f"{database}&application_name=one", "one"),
            made(first, stable, f"{database}&application_name=two", "two"),
            made(second, candidate, f"sqlite:///{tmp_path}/candidate.db", "candidate"),
            candidate,
        )
        for assistant in (*subject.processes.values(), subject.candidate):
            assistant.await_ready()
        yield subject
        for assistant in (*subject.processes.values(), subject.candidate):
            if assistant.process is not None and assistant.process.poll() is None:
                assistant.kill()


def both_models_by_both_processes(twins: Twins) -> dict[str, str]:
    """Talk until each model has answered somebody by both processes; returns the model of each API user."""
    for name in twins.processes:
        until(f"{name} has the candidate", partial(twins.reaches_candidate, name))
    calls, chats = Seen(), Seen()
    for number in count():
        user, visitor = f"user {number}", Visitor(twins.processes["one"])
        for name, process in twins.processes.items():
            calls.add(user, twins.call(name, user))
            visitor.client.base_url = process.url
            chats.add(number, visitor.answer(visitor.say("Hello"))["reply"])
        if all(seen.by_both(model) for seen in (calls, chats) for model in ("stable", "candidate")):
            return {user: next(iter(models)) for user, models in calls.models.items()}
        assert number < 50, (calls, chats)
    raise AssertionError


@pytest.mark.parametrize("fault", ["unreachable", "empty"])
def test_the_other_process_takes_over_from_a_judge_that_is_killed(twins: Twins, fault: str) -> None:
    twins.processes["one"].execute(WATCH)
    twins.start_rollout()
    twins.await_state("running")
    users = both_models_by_both_processes(twins)
    candidates = [user for user, model in users.items() if model == "candidate"]
    until("it is judged again and again", lambda: len(twins.judgements()) >= 4)
    judge = twins.judgements()[-1]
    other = next(name for name in twins.processes if name != judge)

    twins.processes[judge].kill()
    until("the other one judges", lambda: twins.judgements()[-1] == other)
    assert twins.call(other, candidates[0]) == f"candidate for {other}"
    if fault == "unreachable":
        twins.candidate.kill()
    else:
        twins.candidates_model.answer = lambda body: []
        for _ in range(3):
            assert twins.call(other, candidates[0]) == f"stable for {other}", "in the same try"
    assert twins.await_state("rolled_back") == fault

    twins.processes[judge].start()
    replies = {twins.call(name, user) for name in twins.processes for user in candidates}
    assert {reply.split()[0] for reply in replies} == {"stable"}
    steps = twins.rows("SELECT state, reason, announced FROM rollout_events ORDER BY id")
    assert [step[:2] for step in steps] == [
        ("loading", "started"),
        ("running", "loaded"),
        ("rolled_back", fault),
    ]
    twins.judgements()
