from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.rollout_agent.conftest import Host

BEFORE = {"current.gguf": "old.gguf", "previous.gguf": "older.gguf"}
COMMAND = ["exec", "ai-core", "python3", "-m", "assistant"]
RELOAD, RESTART = [*COMMAND, "reload"], ["restart", "ai-core"]
AFTER = {"current.gguf": "new.gguf", "previous.gguf": "old.gguf"}


def test_a_promotion(host: Host) -> None:
    host.say("promoting")
    agent = host.agent()
    agent.look()
    assert host.links() == AFTER
    assert host.docker.calls("inspect") == [RELOAD, [*COMMAND, "rollout", "confirm"]]
    noted = json.loads(host.note.read_text())
    assert (noted["current"], noted["over"]) == ("new.gguf", "old.gguf")
    agent.look()
    assert host.docker.calls() == [], "the app was told; its file lags behind"
    host.say("promoted")
    agent.look()
    agent.look()
    assert set(host.docker.read()) == {"ai-core"}
    assert list(host.config.records.iterdir()) == []


def test_one_that_is_not_ready_yet_is_waited_for(host: Host) -> None:
    host.ready = False
    host.say("promoting")
    agent = host.agent()
    agent.look()
    agent.look()
    assert host.docker.calls("inspect") == [RELOAD]
    assert not host.note.exists()
    host.ready = True
    agent.look()
    assert host.docker.told() == [["rollout", "confirm"]]


def _late(host: Host) -> None:
    """Let the stable container have been started long ago, and the links changed before that."""
    host.docker.read()
    host.docker.kept["containers"]["ai-core"]["State"]["StartedAt"] = "2200-01-01T00:00:00Z"
    host.docker.save()


def test_one_that_does_not_come_up_is_gone_back_from(host: Host) -> None:
    host.ready = False
    host.docker.died("ai-core", 5)
    host.say("promoting")
    agent = host.agent()
    agent.look()
    agent.look()
    assert host.links() == AFTER, "what was before is not its fault"
    host.docker.died("ai-core", 2)
    agent.look()
    # A container that is being started again takes no command.
    host.docker.say(refused=["reload"])
    agent.look()
    assert host.links() == BEFORE
    assert host.docker.calls("inspect") == [RELOAD, RELOAD, RESTART]
    host.ready = True
    agent.look()
    (told,) = host.docker.told()
    assert told[:3] == ["rollout", "report", "--promotion-failed"]
    assert "new.gguf ended" in told[3]
    assert not host.note.exists()
    agent.look()
    assert host.docker.told() == [], "the app was told; its file lags behind"
    host.say("rolled_back")
    agent.look()
    agent.look()
    assert set(host.docker.read()) == {"ai-core"}
    assert host.links() == BEFORE


def test_one_that_takes_too_long_is_gone_back_from(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.ready = False
    host.say("promoting")
    agent = host.agent()
    agent.look()
    late = time.time() + host.config.ready_seconds + 1
    monkeypatch.setattr("rollout_agent.promotion.time.time", lambda: late)
    agent.look()
    agent.look()
    assert host.links() == BEFORE


def test_one_that_an_operator_ends_is_gone_back_from(host: Host) -> None:
    host.ready = False
    host.say("promoting")
    agent = host.agent()
    agent.look()
    host.say("aborted")
    host.ready = True
    for _ in range(4):
        agent.look()
    assert host.links() == BEFORE
    assert host.docker.told() == [["reload"]] * 2, "the app knows"
    assert set(host.docker.read()) == {"ai-core"}
    assert list(host.config.records.iterdir()) == []


def test_one_that_the_app_will_not_load_is_gone_back_from(host: Host) -> None:
    host.docker.say(unfit=True)
    host.say("promoting")
    agent = host.agent()
    agent.look()
    host.docker.say(unfit=False)
    agent.look()
    assert host.links() == BEFORE
    calls = host.docker.calls("inspect")
    assert RESTART not in calls, "the service went on"
    assert "it cannot be served" in calls[-1][-1]


def test_an_app_that_cannot_reload_is_restarted(host: Host) -> None:
    host.docker.say(refused=["reload"])
    host.say("promoting")
    host.agent().look()
    assert host.docker.calls("inspect") == [RELOAD, RESTART, [*COMMAND, "rollout", "confirm"]]
    assert host.links() == AFTER


@pytest.mark.parametrize(
    ("candidate", "word"),
    [
        ("../../etc/passwd", "no name"),
        ("current.gguf", "no name"),
        ("missing.gguf", "not there"),
        ("older.gguf", "does not serve"),
    ],
)
def test_what_was_not_tried_is_not_promoted(host: Host, candidate: str, word: str) -> None:
    host.say("promoting", candidate=candidate)
    host.agent().look()
    (told,) = host.docker.told()
    assert told[:3] == ["rollout", "report", "--promotion-failed"] and word in told[3]
    assert host.links() == BEFORE


def test_a_second_promotion_remembers_what_the_first_one_replaced(host: Host) -> None:
    values = {"current": "old.gguf", "over": "older.gguf", "earlier": ["oldest.gguf"], "at": 1}
    host.note.write_text(json.dumps(values))
    host.say("promoting")
    host.agent().look()
    noted = json.loads(host.note.read_text())
    assert (noted["over"], noted["earlier"]) == ("old.gguf", ["oldest.gguf", "older.gguf"])


def test_killed_before_its_note_is_written_it_is_written_later(host: Host) -> None:
    host.say("promoting")
    host.docker.say(killed_after=["exec"])
    assert _run(host, "", 0, ready=True) == -9
    assert not host.note.exists()
    host.docker.say(killed_after=[])
    host.say("promoted")
    host.agent().look()
    assert json.loads(host.note.read_text())["over"] == "old.gguf"


def test_a_note_that_cannot_be_read_is_set_aside(host: Host) -> None:
    (host.config.records / "promotion.json").write_text("{")
    host.say("promoting")
    agent = host.agent()
    agent.look()
    agent.look()
    assert host.links() == AFTER


# The agent is killed right after Docker did what it asked for, or at any of its own system calls that change
# something; another one goes on, and the end is the same.
_KILLED_AT = ["os.rename", "before os.rename", "os.symlink", "before pathlib.Path.unlink"]
_RUNNER = """
import os, pathlib, sys
from pathlib import Path
from rollout_agent.agent import Agent
from rollout_agent.config import read_config
from rollout_agent.engine import Engine
place, number = sys.argv[2], int(sys.argv[3])
count = 0
def deadly(original, before):
    def call(*words, **values):
        global count
        count += 1
        if count == number and before:
            os.kill(os.getpid(), 9)
        result = original(*words, **values)
        if count == number:
            os.kill(os.getpid(), 9)
        return result
    return call
if place:
    before = place.startswith("before ")
    path, _, name = place.removeprefix("before ").rpartition(".")
    owner = {"os": os, "pathlib.Path": pathlib.Path}[path]
    setattr(owner, name, deadly(getattr(owner, name), before))
docker, pid, ready = sys.argv[4:7]
config, engine = read_config(Path(sys.argv[1])), Engine(docker, Path(pid))
agent = Agent(config, engine, lambda _: ready == "1", lambda _: None)
for _ in range(int(sys.argv[7])):
    agent.look()
"""


def _run(host: Host, place: str, number: int, *, ready: bool, looks: int = 3) -> int:
    config = host.folder / "config.json"
    names = ("state_file", "records", "models", "stable", "candidate", "ready_url", "ready_seconds")
    values = {name: getattr(host.config, name) for name in names}
    tokens = [str(path) for path in host.config.tokens]
    config.write_text(json.dumps({**values, "tokens": tokens}, default=str))
    arguments = [str(host.docker.program), str(host.docker.pid_file), str(int(ready)), str(looks)]
    return subprocess.run(
        [sys.executable, "-c", _RUNNER, str(config), place, str(number), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "app")},
        check=False,
        timeout=60,
    ).returncode


@pytest.mark.parametrize("place", _KILLED_AT)
def test_killed_anywhere_it_goes_on(host: Host, place: str) -> None:
    host.say("promoting")
    deaths = 0
    for number in (1, 2, 3):
        deaths += _run(host, place, number, ready=True, looks=1) == -9
    assert deaths, "it was not killed at all"
    _run(host, "", 0, ready=True)
    assert host.links() == AFTER
    assert ["rollout", "confirm"] in host.docker.told()
    assert json.loads(host.note.read_text())["over"] == "old.gguf"


@pytest.mark.parametrize("place", _KILLED_AT)
def test_killed_anywhere_on_its_way_back_it_goes_on(host: Host, place: str) -> None:
    host.say("promoting")
    assert _run(host, "", 0, ready=False) == 0
    assert host.links() == AFTER
    host.docker.died("ai-core", 5)
    deaths = 0
    for number in (1, 2, 3):
        deaths += _run(host, place, number, ready=False, looks=2) == -9
    assert deaths, "it was not killed at all"
    _run(host, "", 0, ready=True)
    assert host.links() == BEFORE
    told = {tuple(words[:3]) for words in host.docker.told()}
    assert told == {("reload",), ("rollout", "report", "--promotion-failed")}
    assert not host.note.exists()


def test_killed_while_docker_restarts_the_container_it_goes_on(host: Host) -> None:
    host.say("promoting")
    host.docker.say(killed_after=["restart"], refused=["reload"])
    assert _run(host, "", 0, ready=True) == -9
    host.docker.say(killed_after=[])
    _run(host, "", 0, ready=True)
    assert host.links() == AFTER
    calls = host.docker.calls("inspect")
    assert calls.count(["restart", "ai-core"]) == 1, "it was restarted already"


def test_killed_while_the_app_reloads_it_asks_again(host: Host) -> None:
    host.say("promoting")
    host.docker.say(killed_after=["reload"])
    assert _run(host, "", 0, ready=True) == -9
    host.docker.say(killed_after=[])
    _run(host, "", 0, ready=True)
    assert host.links() == AFTER
    calls = host.docker.calls("inspect")
    assert (calls.count(RELOAD), calls.count(RESTART)) == (2, 0)
