"""The monthly evaluation on a host: its program with an emulated Docker, its units, its inputs."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.roles.refusals import Judge, Refusals
from tests.unit.roles.rendering import render

PROGRAM = ROOT / "roles/evaluation/files/ai-assistant-evaluate"
QUESTIONS = ROOT / "files/evaluation/demo.jsonl"
PROMPT = "You are kind.\nAnswer briefly = always."
ASSISTANT = {
    "Image": "sha256:0123",
    "State": {"Running": True},
    "Config": {
        "User": "10001:10001",
        "Env": [
            "PATH=/opt/venv/bin",
            "MODEL_PATH=/models/current.gguf",
            "ASSISTANT_OPERATORS_FEISHU_CHAT=oc_1",
            f"ASSISTANT_SYSTEM_PROMPT={PROMPT}",
        ],
    },
    "HostConfig": {
        "Binds": [
            "/data/ai-models:/models:ro",
            "/etc/ai-assistant/secrets:/run/secrets:ro",
            "/var/lib/ai-assistant:/var/lib/ai-assistant:rw",
        ]
    },
    "NetworkSettings": {"Networks": {"ai-assistant-net": {}}},
}
# What `docker` is told stands in a file; what it does is in others.
DOCKER = """#!{python}
import json, os, sys, time
with open("{folder}/asked", "a") as log:
    log.write(json.dumps([sys.argv[1:], dict(os.environ)]) + "\\n")
if sys.argv[1] == "inspect":
    if not os.path.exists("{folder}/inspected"):
        print("Error: No such container: ai-core", file=sys.stderr)
        sys.exit(1)
    print(open("{folder}/inspected").read())
elif sys.argv[1] == "run":
    print("110 curated questions", flush=True)
    while os.path.exists("{folder}/hold") and not os.path.exists("{folder}/stopped"):
        time.sleep(0.05)
    sys.exit(int(open("{folder}/status").read()))
elif sys.argv[1] == "stop":
    open("{folder}/stopped", "w").close()
"""


class Host:
    """A folder that is a host: Docker, settings, and what the program leaves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state, self.metric = folder / "state", folder / "metrics" / "evaluation.prom"
        for path in (self.state, self.metric.parent, folder / "bin"):
            path.mkdir()
        docker = folder / "bin" / "docker"
        docker.write_text(DOCKER.format(python=sys.executable, folder=folder))
        docker.chmod(0o755)
        self.settings = folder / "settings.json"
        self.running()
        self.ends_with(0)

    def write(self, **changes: Any) -> None:
        rendered = render("evaluation", "settings.json.j2", self.folder, changes)
        found = json.loads(rendered.read_text())
        self.settings.write_text(
            json.dumps({**found, "folder": str(self.state), "metrics": str(self.metric)})
        )

    def running(self, **changes: Any) -> None:
        (self.folder / "inspected").write_text(json.dumps([{**ASSISTANT, **changes}]))

    def ends_with(self, status: int) -> None:
        (self.folder / "status").write_text(str(status))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        path = str(self.folder / "bin")
        return subprocess.Popen(
            [sys.executable, str(PROGRAM), "--settings", str(self.settings), *arguments],
            env={"PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def do(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def asked(self, word: str) -> list[tuple[list[str], dict[str, str]]]:
        log = self.folder / "asked"
        lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return [(arguments, environment) for arguments, environment in lines if arguments[0] == word]

    def last(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.state / "last.json").read_text())
        return found


@pytest.fixture(scope="module")
def defaults(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("host")
    host = Host(folder)
    host.write()
    return host.settings.read_text()


@pytest.fixture
def host(tmp_path: Path, defaults: str) -> Host:
    made = Host(tmp_path)
    found = json.loads(defaults)
    changes = {"folder": str(made.state), "metrics": str(made.metric)}
    made.settings.write_text(json.dumps({**found, **changes}))
    return made


def pairs(arguments: list[str], name: str) -> list[str]:
    return [value for before, value in pairwise(arguments) if before == name]


def test_the_container_has_the_assistants_settings_and_little_of_the_host(host: Host) -> None:
    status, out, err = host.do("--month", "2026-03", "--base", "none", "--again", "--model", "m")
    assert (status, err) == (0, "")
    assert out == "110 curated questions\n"
    ((arguments, environment),) = host.asked("run")
    image = arguments.index("sha256:0123")
    docker, command = arguments[:image], arguments[image + 1 :]
    assert pairs(docker, "--network") == ["ai-assistant-net"] and pairs(docker, "--cpu-shares") == ["2"]
    assert pairs(docker, "--memory") == pairs(docker, "--memory-swap") == ["512m"]
    assert pairs(docker, "--cap-drop") == ["ALL"] and "--read-only" in docker
    assert pairs(docker, "--volume") == [
        "/etc/ai-assistant/secrets:/run/secrets:ro",
        "/var/lib/ai-assistant:/var/lib/ai-assistant:rw",
        f"{host.state}:/evaluation:rw",
        "/etc/ai-assistant/evaluation:/inputs:ro",
    ]
    assert set(pairs(docker, "--env")) == {
        *("ASSISTANT_BACKEND_MODEL", "ASSISTANT_BACKEND_URL", "ASSISTANT_OPERATORS_FEISHU_CHAT"),
        *("ASSISTANT_SYSTEM_PROMPT", "MODEL_PATH"),
    }
    assert environment["ASSISTANT_SYSTEM_PROMPT"] == PROMPT and environment["MODEL_PATH"] == ""
    assert environment["ASSISTANT_BACKEND_URL"] == pairs(command, "--url")[0] == "http://ai-core:8000/v1"
    assert command[:4] == ["-m", "assistant", "evaluate", "month"]
    for name, value in (("--month", "2026-03"), ("--base", "none"), ("--model", "m"), ("--share", "0.25")):
        assert pairs(command, name) == [value]
    assert {"--again", "--announce"} <= set(command)
    assert not {"--judge-url", "--judge-key-file", "--link"} & set(command)
    assert host.asked("rm")[0][0] == ["rm", "--force", "ai-evaluation"]


def test_the_app_takes_the_command(host: Host) -> None:
    changes = {
        "judge_url": "https://j.example/v1",
        "judge_model": "j",
        "judge_key": True,
        "link": "https://a/r",
    }
    host.settings.write_text(json.dumps({**json.loads(host.settings.read_text()), **changes}))
    assert host.do("--month", "2026-03")[0] == 0
    ((arguments, _),) = host.asked("run")
    command = arguments[arguments.index("sha256:0123") + 1 :]
    done = subprocess.run(
        [sys.executable, *command],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "app"), "ASSISTANT_API_ENABLED": "no idea"},
        capture_output=True,
        text=True,
    )
    # Not 2, wrong arguments: it has read them all, and stops at the first setting.
    assert (done.returncode, "ASSISTANT_API_ENABLED" in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize(("ended", "status"), [(0, 0), (1, 1), (130, 1), (137, 1), (2, 2)])
def test_how_it_ended_is_kept_for_the_playbook_and_the_monitoring(
    host: Host, ended: int, status: int
) -> None:
    host.ends_with(ended)
    assert host.do()[0] == status
    last = host.last()
    assert last["status"] == status and last["lines"][0] == "110 curated questions"
    assert ("evaluation_memory_limit" in last["lines"][-1]) == (ended == 137)
    assert f"\nai_assistant_evaluation_failed {int(status != 0)}\n" in host.metric.read_text()


def test_without_the_assistant_or_a_month_it_says_what_to_do(host: Host) -> None:
    (host.folder / "inspected").unlink()
    status, _, err = host.do()
    assert status == 1 and "No such container: ai-core" in err and "site.yml" in err
    host.running(State={"Running": False})
    status, _, err = host.do()
    assert status == 1 and "docker start ai-core" in err
    assert host.last()["lines"] == [err.strip()]
    assert host.asked("run") == []
    (host.folder / "bin" / "docker").rename(host.folder / "bin" / "moved")
    status, _, err = host.do()
    assert status == 1 and "no docker" in err and "Traceback" not in err
    status, _, err = host.do("--month", "March")
    assert status == 2 and "example: 2026-03" in err
    host.settings.unlink()
    status, _, err = host.do()
    assert status == 1 and "the role evaluation writes it" in err


def test_where_nobody_watches_the_host_it_works_all_the_same(host: Host) -> None:
    host.metric.parent.rmdir()
    status, _, err = host.do()
    assert status == 0 and "no metric" in err


def test_two_at_once_are_refused_and_the_first_is_not_disturbed(host: Host) -> None:
    with (host.state / "host.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        status, _, err = host.do()
    assert status == 3 and "journalctl" in err
    assert host.asked("rm") == [] and not (host.state / "last.json").exists()


def test_systemd_can_end_it(host: Host) -> None:
    (host.folder / "hold").touch()
    process = host.start()
    deadline = time.monotonic() + 30
    while not host.asked("run") and time.monotonic() < deadline:
        time.sleep(0.05)
    # Docker's own status where the container did not end in time.
    host.ends_with(137)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert "it goes on where it was" in host.last()["lines"][-1]
    assert host.asked("stop")[0][0] == ["stop", "--time", "10", "ai-evaluation"]


UNITS = (
    "ai-assistant-evaluation.service",
    "ai-assistant-evaluation.timer",
    "ai-assistant-evaluation-resume.timer",
)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for name in UNITS:
        file = render("evaluation", f"{name}.j2", tmp_path)
        file.write_text(file.read_text().replace("/usr/local/sbin/ai-assistant-evaluate", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / name) for name in UNITS)],
        capture_output=True,
        text=True,
    )
    assert "ai-assistant-evaluation" not in done.stderr, done.stderr
    text = (tmp_path / UNITS[2]).read_text()
    assert "ConditionPathExists=/var/lib/ai-assistant-evaluation/unfinished" in text


MAIN = "inventory/<yours>/group_vars/assistant/main.yml"
MISTAKES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no questions": ({"evaluation_questions": ""}, ["evaluation_questions is empty", "demo.jsonl"]),
    "a schedule in cron's words": ({"evaluation_schedule": "0 3 1 * *"}, ["0 3 1 * *", '"*-*-01 03:00"']),
    "more than all of the time": ({"evaluation_share": 1.5}, ["evaluation_share is 1.5", "0.25"]),
    "nothing kept": ({"evaluation_keep_months": 0}, ["evaluation_keep_months (0)", "24"]),
    "memory in words": ({"evaluation_memory_limit": "half"}, ["evaluation_memory_limit is 'half'", "512m"]),
    "a key for nobody": ({"evaluation_judge_key": "sk-secret"}, ["evaluation_judge_url is empty"]),
    "no api": ({"assistant_api_enabled": False}, ["assistant_api_enabled is false"]),
    "no address": ({"evaluation_judge_url": "models.example.org"}, ["evaluation_judge_url", "https://"]),
    "wrong questions": ({"evaluation_questions": "{FOLDER}/wrong.jsonl"}, ["wrong.jsonl, line 1"]),
}


GIVEN = {"evaluation_enabled": True, "evaluation_questions": str(QUESTIONS)}
GOOD = {"good": {}, "off": {"evaluation_enabled": False, "evaluation_questions": ""}}


class TestMistakes(Refusals, role="evaluation", file=MAIN, good=GOOD, mistakes=MISTAKES, given=GIVEN):
    """What an operator may get wrong; his questions are judged by their reader."""

    @classmethod
    def prepare(cls, judge: Judge) -> None:
        (judge.folder / "wrong.jsonl").write_text('{"id": "a"}\n')

    def test_no_secret_is_said(self, said: dict[str, str]) -> None:
        assert not [name for name, text in said.items() if "sk-secret" in text]
