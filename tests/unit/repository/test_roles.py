from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.repository.project import ROOT, collect, report
from tests.unit.repository.roles import (
    OTHER_FILES,
    TASK_FILES,
    entry_point_problems,
    layout_problems,
    role_directories,
    specification_problems,
)

EXPECTED_ROLES = {
    "alert_relay",
    "alertmanager",
    "base",
    "guard",
    "ssh",
    "firewall",
    "lockout",
    "filesystem",
    "accounts",
    "journal",
    "auditing",
    "integrity",
    "evaluation",
    "docker",
    "model",
    "assistant",
    "proxy",
    "rollout",
    "daemon",
    "node_exporter",
    "blackbox_exporter",
    "prometheus",
    "grafana",
    "elk",
    "filebeat",
}


def test_every_role_of_the_design_is_here() -> None:
    assert {role.name for role in role_directories(ROOT)} >= EXPECTED_ROLES


def test_every_role_has_every_file() -> None:
    problems = collect(layout_problems, role_directories(ROOT))
    assert not problems, report(problems)


def test_every_role_judges_its_inputs_first() -> None:
    problems = collect(entry_point_problems, role_directories(ROOT))
    assert not problems, report(problems)


def test_specifications_defaults_and_readmes_agree() -> None:
    problems = collect(specification_problems, role_directories(ROOT))
    assert not problems, report(problems)


DEFAULTS = 'web_port: 80\nweb_names: [a]\nweb_mode: plain\nweb_url: "http://{{ web_names[0] }}"\n'
SPECIFICATION = """
argument_specs:
  main:
    options:
      web_port: {type: int, default: 80, description: A port.}
      web_names: {type: list, elements: str, default: [a], description: Names.}
      web_mode: {type: str, choices: [plain, tls], default: plain, description: A mode.}
      web_url: {type: str, default: "http://{{ web_names[0] }}", description: An address.}
      web_owner: {type: str, required: true, description: An owner.}
"""
README = "`web_port` `web_names` `web_mode` `web_url` `web_owner`"


@pytest.fixture
def role(tmp_path: Path) -> Path:
    """A role with nothing wrong."""
    folder = tmp_path / "web"
    for name in ("tasks", "meta", "defaults"):
        (folder / name).mkdir(parents=True)
    for name in TASK_FILES:
        (folder / "tasks" / f"{name}.yml").write_text("[]\n")
    imports = [f"- ansible.builtin.import_tasks: {name}.yml\n" for name in TASK_FILES[1:-1]]
    (folder / "tasks/main.yml").write_text("".join(imports))
    (folder / "meta/main.yml").write_text("{}\n")
    (folder / "defaults/main.yml").write_text(DEFAULTS)
    (folder / "meta/argument_specs.yml").write_text(SPECIFICATION)
    (folder / "README.md").write_text(README)
    return folder


def test_a_whole_role_has_no_problems(role: Path) -> None:
    assert layout_problems(role) + entry_point_problems(role) + specification_problems(role) == []


@pytest.mark.parametrize("name", [*(f"tasks/{name}.yml" for name in TASK_FILES), *OTHER_FILES])
def test_a_missing_file_is_named(role: Path, name: str) -> None:
    (role / name).unlink()
    assert layout_problems(role) == [f"web: {name} is missing"]


@pytest.mark.parametrize(
    ("entry_point", "problem"),
    [
        ("install configure service validate", "must import validate.yml before"),
        ("validate install configure", "does not import service.yml"),
    ],
)
def test_a_wrong_entry_point_is_named(role: Path, entry_point: str, problem: str) -> None:
    lines = [f"- ansible.builtin.import_tasks: {name}.yml\n" for name in entry_point.split()]
    (role / "tasks/main.yml").write_text("".join(lines))
    assert [line for line in entry_point_problems(role) if problem in line]


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("defaults/main.yml", "web_port: 80", "web_port: 81", "default 81, but the spec"),
        ("defaults/main.yml", "web_port: 80", 'web_port: "80"', "default '80', but the spec"),
        ("defaults/main.yml", "web_port: 80\n", "", "has no default in defaults/main.yml"),
        ("defaults/main.yml", "web_mode", "web_style", "web_style: in defaults/main.yml, but not in meta"),
        ("defaults/main.yml", "web_port", "web_owner: me\nweb_port", "is required and has a default"),
        ("meta/argument_specs.yml", "type: int, default: 80", "type: str, default: 80", "is not of type str"),
        ("meta/argument_specs.yml", "default: 80, ", "", "no default in meta/argument_specs.yml"),
        ("meta/argument_specs.yml", "elements: str", "elements: int", "default 'a' is not of type int"),
        ("meta/argument_specs.yml", "elements: str, ", "", "says nothing of its elements"),
        ("meta/argument_specs.yml", "[plain, tls]", "[tls]", "'plain' is not among the choices"),
        ("meta/argument_specs.yml", "description: A port.", "description: ''", "has no description"),
        ("meta/argument_specs.yml", "required: true", "required: false", "web_owner: is not required"),
        ("README.md", "`web_port`", "web_port", "README.md does not have `web_port`"),
    ],
)
def test_a_disagreement_is_named(role: Path, file: str, old: str, new: str, problem: str) -> None:
    path = role / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert [line for line in specification_problems(role) if problem in line]
