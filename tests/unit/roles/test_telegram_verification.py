"""What the play makes of Telegram's word on whether it reaches the assistant."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.roles.playbook import run_tasks

ROLE = ROOT / "roles/assistant"
GOOD = {"url": "https://a.example/telegram/webhook", "waiting": 0, "registered": False, "problem": ""}


class Host:
    """This machine with a ``docker`` that answers as a container would."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._asked = folder / "asked"
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def answers(self, output: str, status: int = 0, stream: int = 1) -> None:
        (self._folder / "answer").write_text(output)
        docker = self._folder / "docker"
        answer = f"cat {self._folder / 'answer'} >&{stream}"
        docker.write_text(f'#!/bin/sh\necho "$@" >> {self._asked}\n{answer}\nexit {status}\n')
        docker.chmod(0o755)

    def verify(self, **variables: Any) -> str:
        """What stopped the play, or nothing."""
        said = self._folder / "said"
        said.unlink(missing_ok=True)
        self.output = run_tasks(
            self._folder,
            [
                {"ansible.builtin.include_vars": str(ROLE / "defaults/main.yml")},
                {"ansible.builtin.include_vars": str(ROLE / "vars/main.yml")},
                {
                    "block": [{"ansible.builtin.include_tasks": str(ROLE / "tasks/telegram.yml")}],
                    "rescue": [
                        {
                            "ansible.builtin.copy": {
                                "content": "{{ ansible_failed_result.msg }}",
                                "dest": str(said),
                                "mode": "0600",
                            }
                        }
                    ],
                },
            ],
            {"assistant_telegram_enabled": True, **variables},
        )
        return said.read_text() if said.exists() else ""

    @property
    def asked(self) -> list[str]:
        return self._asked.read_text().splitlines() if self._asked.exists() else []


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def test_all_is_well_and_nothing_changed(host: Host) -> None:
    host.answers(json.dumps(GOOD))
    assert host.verify() == ""
    assert host.asked == ["exec ai-core python3 -m assistant telegram --json --seconds 30"]
    assert "changed: [localhost]" not in host.output


def test_what_was_put_right_is_a_change(host: Host) -> None:
    host.answers(json.dumps({**GOOD, "registered": True}))
    assert host.verify() == ""
    assert "changed: [localhost]" in host.output


def test_problem_stops_the_play_with_what_to_do(host: Host) -> None:
    host.answers(json.dumps({**GOOD, "problem": "Telegram could not deliver: look at proxy_domain."}), 1)
    said = host.verify()
    for words in (
        "look at proxy_domain",
        "docker exec ai-core",
        "assistant_telegram_verify: false",
        "main.yml",
    ):
        assert words in said


def test_container_that_does_not_answer(host: Host) -> None:
    host.answers("Error: No such container: ai-core\n", 1, stream=2)
    assert "No such container" in host.verify()


def test_nobody_is_asked_where_it_is_not_wanted(host: Host) -> None:
    host.answers("", 1)
    assert host.verify(assistant_telegram_verify=False) == host.verify(assistant_telegram_enabled=False) == ""
    assert host.asked == []
