from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from rollout_agent.errors import StateUnreadable
from rollout_agent.oom import oom_kills
from rollout_agent.state import read_state
from rollout_agent.times import seconds_of
from tests.unit.rollout_agent.conftest import Host


@pytest.mark.parametrize("state", ["loading", "running", "paused"])
def test_a_candidate_that_runs_is_left_alone(host: Host, state: str) -> None:
    host.say(state)
    host.agent().look()
    assert host.docker.calls("inspect") == []


def test_one_that_ended_is_told_once(host: Host) -> None:
    host.docker.put("ai-candidate", "new.gguf", made=60, running=False, ExitCode=3)
    host.say("loading")
    agent = host.agent()
    agent.look()
    agent.look()
    assert host.docker.told() == [["rollout", "report", "--exited", "3"]]


def test_one_that_was_out_of_memory_is_told(host: Host) -> None:
    host.docker.put("ai-candidate", "new.gguf", made=60, running=False, ExitCode=137, OOMKilled=True)
    host.say("running")
    host.agent().look()
    assert host.docker.told() == [["rollout", "report", "--exited", "137", "--oom-killed"]]


def test_a_killed_worker_in_a_container_that_goes_on_is_told(host: Host) -> None:
    host.docker.put("ai-candidate", "new.gguf", made=60, OOMKilled=True)
    host.say("running")
    host.agent().look()
    assert host.docker.told() == [["rollout", "report", "--exited", "137", "--oom-killed"]]


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("0::/system.slice/docker-1.scope", "system.slice/docker-1.scope/memory.events"),
        ("4:cpu,memory:/docker/1", "memory/docker/1/memory.oom_control"),
    ],
)
def test_the_kernel_s_count_is_read(tmp_path: Path, line: str, file: str) -> None:
    proc, cgroup = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "42").mkdir(parents=True)
    (proc / "42/cgroup").write_text(f"1:name=systemd:/docker/1\n{line}\n")
    assert oom_kills(42, proc, cgroup) == 0
    counted = cgroup / file
    counted.parent.mkdir(parents=True)
    counted.write_text("low 0\noom 3\noom_kill 2\n")
    assert oom_kills(42, proc, cgroup) == 2
    assert oom_kills(43, proc, cgroup) == 0


def test_what_could_not_be_told_is_told_at_the_next_look(host: Host) -> None:
    host.docker.put("ai-candidate", "new.gguf", made=60, running=False, ExitCode=1)
    host.docker.say(refused=["exec"])
    host.say("running")
    agent = host.agent()
    agent.look()
    host.docker.calls()
    host.docker.say(refused=[])
    agent.look()
    assert host.docker.told() == [["rollout", "report", "--exited", "1"]]


def test_one_that_somebody_removed_is_told(host: Host) -> None:
    del host.docker.kept["containers"]["ai-candidate"]
    host.docker.save()
    host.say("running")
    host.agent().look()
    assert host.docker.told() == [["rollout", "report", "--exited", "125"]]


@pytest.mark.parametrize("state", ["loading", "running", "paused"])
def test_after_a_reboot_it_is_started_again(host: Host, state: str) -> None:
    host.docker.put("ai-candidate", "new.gguf", made=7200, running=False, ExitCode=255)
    host.say(state)
    agent = host.agent()
    agent.look()
    agent.look()
    assert host.docker.calls("inspect") == [["start", "ai-candidate"]]
    assert host.docker.read()["ai-candidate"]["State"]["Running"]


def test_one_that_ends_once_more_after_that_is_told(host: Host) -> None:
    host.docker.put("ai-candidate", "new.gguf", made=7200, running=False, ExitCode=255)
    host.say("running")
    agent = host.agent()
    agent.look()
    host.docker.read()
    host.docker.kept["containers"]["ai-candidate"]["State"].update(Running=False, ExitCode=1)
    host.docker.save()
    agent.look()
    assert host.docker.told() == [["rollout", "report", "--exited", "1"]]


def test_one_that_cannot_be_started_is_told_in_the_end(host: Host) -> None:
    host.docker.put("ai-candidate", "new.gguf", made=7200, running=False, ExitCode=255)
    host.docker.say(refused=["start"])
    host.say("running")
    agent = host.agent()
    for _ in range(3):
        agent.look()
    assert host.docker.told() == [["rollout", "report", "--exited", "125"]]


def test_what_a_docker_that_goes_away_ends_is_not_told(host: Host) -> None:
    host.docker.put("ai-candidate", "new.gguf", made=60, running=False, ExitCode=143)
    host.say("running")
    host.agent(sleep=lambda _: host.docker.say(away=True)).look()
    assert host.docker.told() == []


@pytest.mark.parametrize("state", ["rolled_back", "aborted", "promoted"])
def test_what_is_over_is_removed(host: Host, state: str) -> None:
    host.say(state)
    agent = host.agent()
    agent.look()
    agent.look()
    assert set(host.docker.read()) == {"ai-core"}
    assert not [path for path in host.config.tokens if path.exists()]
    assert (host.config.models / "new.gguf").exists(), "the version stays"
    host.docker.calls()
    agent.look()
    agent.look()
    assert host.docker.calls() == [], "nothing is asked where nothing is to be done"


def test_a_container_that_waits_for_its_rollout_is_left_alone(host: Host) -> None:
    host.say("rolled_back", since=time.time() - 30)
    host.docker.put("ai-candidate", "new.gguf", made=5)
    agent = host.agent()
    agent.look()
    assert host.docker.calls("inspect") == []
    assert all(path.exists() for path in host.config.tokens)


def test_one_whose_rollout_never_began_is_removed(host: Host) -> None:
    old = time.time() - 1000
    for path in host.config.tokens:
        os.utime(path, (old, old))
    host.docker.put("ai-candidate", "new.gguf", made=1000)
    host.agent().look()
    assert set(host.docker.read()) == {"ai-core"}
    assert not [path for path in host.config.tokens if path.exists()]


def test_a_docker_that_does_not_answer_is_waited_for(host: Host) -> None:
    host.say("aborted")
    host.docker.say(away=True)
    agent = host.agent()
    agent.look()
    host.docker.say(away=False)
    agent.look()
    assert set(host.docker.read()) == {"ai-core"}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"id": 1}', '{"id": 1, "state": "new"}', '"' + "x" * 70000 + '"']
)
def test_a_file_that_is_none_of_the_app_s_does_nothing(host: Host, text: str) -> None:
    host.config.state_file.write_text(text)
    with pytest.raises(StateUnreadable):
        read_state(host.config.state_file)
    host.agent().look()
    assert host.docker.calls() == []


def test_a_link_in_its_place_is_not_followed(host: Host, tmp_path: Path) -> None:
    (tmp_path / "other").write_text('{"id": 1, "state": "aborted"}')
    host.config.state_file.symlink_to(tmp_path / "other")
    with pytest.raises(StateUnreadable):
        read_state(host.config.state_file)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:10.5Z", 10.5),
        ("1970-01-01T00:00:10.123456789Z", 10.123456789),
        ("1970-01-01T01:00:10+01:00", 10),
        ("1970-01-01 00:00:10", 10),
    ],
)
def test_moments(text: str, seconds: float) -> None:
    assert seconds_of(text) == pytest.approx(seconds)
