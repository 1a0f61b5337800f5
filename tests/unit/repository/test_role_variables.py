from __future__ import annotations

from pathlib import Path

import pytest

from tests.lint.role_variables import main

SPECIFICATION = """
argument_specs:
  main:
    options:
      web_port: {type: int, default: 80, description: [A port., "80 | 443"]}
      web_name: {type: str, required: true, description: A name.}
      web_url: {type: str, default: "http://{{ web_name }}", description: An address.}
      web_note: {type: str, default: "", description: A note.}
"""


def test_every_variable_is_a_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/argument_specs.yml").write_text(SPECIFICATION)
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "| `web_port` | `80` | A port. 80 \\| 443 |",
        "| `web_name` | must be set | A name. |",
        "| `web_url` | see `defaults/main.yml` | An address. |",
        '| `web_note` | `""` | A note. |',
    ]


def test_a_folder_that_is_no_role_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    assert "argument_specs.yml does not exist" in capsys.readouterr().err
