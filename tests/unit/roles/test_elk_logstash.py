"""Logstash tests its configuration before each start; a program in Docker's place says what was asked."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.repository.project import ROOT
from tests.unit.roles.playbook import run_tasks

TASKS = ROOT / "roles/elk/tasks"
REFUSAL = 'Expected one of [ \\t\\r\\n], "#", "=>" at line 3, column 9'
DOCKER = """#!/bin/sh
cd "$(dirname "$0")" || exit
echo "$*" >>asked
case "$*" in
  "ps --all"*) [ ! -e running ] || echo "abc Up 3 minutes" ;;
  *" run "*) cat verdict && exit "$(cat status)" ;;
  *" ps --quiet logstash") [ ! -e running ] || echo abc ;;
  *" up "*) touch running ;;
esac
"""
# What each round begins with: the pipeline's text, the version, and the status of Logstash's test.
ROUNDS: dict[str, tuple[str, str, int]] = {
    "first": ("filter { }", "8.15.5", 0),
    "nothing new": ("filter { }", "8.15.5", 0),
    "wrong": ("filter { mutate { a } }", "8.15.5", 1),
    "wrong still": ("filter { mutate { a } }", "8.15.5", 1),
    "mended": ("filter { mutate { } }", "8.15.5", 0),
    "another version": ("filter { mutate { } }", "8.15.6", 0),
}


@dataclass(frozen=True)
class Round:
    """What a run of the role asked of Docker, whether it said that it changed something, and its refusal."""

    asked: list[str]
    changed: bool
    refusal: str

    def order(self) -> list[str]:
        """Return the steps that matter, in their order."""
        known = ("--config.test_and_exit", "stop logstash", "up --detach")
        return [step for line in self.asked for step in known if step in line]


def _round(work: Path) -> list[dict[str, Any]]:
    """Return the role's own tasks, less those that wait for an Elasticsearch."""
    judge, run = (yaml.safe_load((TASKS / name).read_text()) for name in ("judge_logstash.yml", "run.yml"))
    (block,) = (task["block"] for task in run if "block" in task)
    started = [task for task in block if "ansible.builtin.uri" not in task]
    save = {"content": "{{ {'changed': _elk_up is changed, 'refusal': failed} | to_json }}"}
    return [
        {
            "block": [*judge, *started],
            "rescue": [{"ansible.builtin.set_fact": {"failed": "{{ ansible_failed_result.msg }}"}}],
        },
        {"ansible.builtin.copy": {**save, "dest": f"{work}/said", "mode": "0600"}},
    ]


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Round]:
    """All rounds in one run of Ansible."""
    work = tmp_path_factory.mktemp("logstash")
    etc, programs = work / "etc", work / "bin"
    for folder in ("logstash/pipeline", "pki/logstash", "secrets"):
        (etc / folder).mkdir(parents=True)
    programs.mkdir()
    (programs / "docker").write_text(DOCKER)
    (programs / "docker").chmod(0o700)
    (etc / "secrets/logstash.env").write_text("ELK_LOGSTASH_PASSWORD=x\n")
    (work / "round.json").write_text(json.dumps(_round(programs)))
    tasks: list[dict[str, Any]] = [
        {"ansible.builtin.include_vars": str(ROOT / "roles/elk" / name)}
        for name in ("defaults/main.yml", "vars/main.yml")
    ]
    for number, (pipeline, version, status) in enumerate(ROUNDS.values()):
        new = work / str(number)
        files = {
            "etc/logstash/pipeline/10.conf": pipeline,
            "etc/compose.yml": f"image: docker.elastic.co/logstash/logstash:{version}\n",
            "bin/status": f"{status}\n",
            "bin/verdict": REFUSAL if status else "Configuration OK\n",
        }
        for path, text in files.items():
            (new / path).parent.mkdir(parents=True, exist_ok=True)
            (new / path).write_text(text)
        begin = f"cp -r {new}/. {work} && rm -f {programs}/asked"
        tasks += [
            {"ansible.builtin.shell": {"cmd": begin}},
            {"ansible.builtin.set_fact": {"elk_version": version, "failed": ""}},
            {"ansible.builtin.include_tasks": str(work / "round.json")},
            {"ansible.builtin.shell": {"cmd": f"cp {programs}/asked {programs}/said {new}"}},
        ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        run_tasks(work, tasks, {"_elk_etc": str(etc), "role_path": str(ROOT / "roles/elk")})
    return {
        name: Round(
            (work / str(number) / "asked").read_text().splitlines(),
            **json.loads((work / str(number) / "said").read_text()),
        )
        for number, name in enumerate(ROUNDS)
    }


def test_it_is_tested_before_its_first_start(rounds: dict[str, Round]) -> None:
    assert rounds["first"].order() == ["--config.test_and_exit", "up --detach"]
    (test,) = (line for line in rounds["first"].asked if "test_and_exit" in line)
    # Beside one that runs: with a folder of its own, and without a queue on disk.
    assert "run --rm --no-deps -T -e ELK_LOGSTASH_QUEUE=memory logstash logstash " in test
    assert "--path.data /tmp/judge" in test
    assert rounds["first"].changed


def test_what_it_runs_with_is_not_tested_again(rounds: dict[str, Round]) -> None:
    assert rounds["nothing new"].order() == ["up --detach"]
    assert not rounds["nothing new"].changed


def test_a_wrong_pipeline_stops_the_play_and_not_the_logstash_that_runs(rounds: dict[str, Round]) -> None:
    for name in ("wrong", "wrong still"):
        assert rounds[name].order() == ["--config.test_and_exit"]
        for word in (REFUSAL, "status 1", "elk_logstash_directory", "goes on with what it read before"):
            assert word in rounds[name].refusal


def test_what_is_mended_or_of_another_version_is_tested_and_started_again(rounds: dict[str, Round]) -> None:
    for name in ("mended", "another version"):
        assert rounds[name].order() == ["--config.test_and_exit", "stop logstash", "up --detach"]
        assert rounds[name].changed and not rounds[name].refusal
