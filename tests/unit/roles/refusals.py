"""What roles say to an operator's values, judged by their own ``tasks/validate.yml``, and the tests of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from tests.unit.repository.project import ROOT
from tests.unit.roles.playbook import run_tasks

Values = dict[str, Any]


class Judge:
    """Collects values and has all of them judged in one run of Ansible, which is what takes the time."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        """Begin with no values; ``folder`` is for files that they name."""
        self.folder, self._results = factory.mktemp("mistakes"), factory.mktemp("said")
        self.tasks: list[dict[str, Any]] = []

    def attempt(self, name: str, role: str, values: Mapping[str, Any]) -> None:
        """Have ``role`` judge ``values``; in them ``{FOLDER}`` stands for the folder."""
        judged = {
            "ansible.builtin.include_role": {"name": str(ROOT / "roles" / role), "tasks_from": "validate"},
            "vars": json.loads(json.dumps(values).replace("{FOLDER}", str(self.folder))),
        }
        kept = {
            "content": "{{ ansible_failed_result.msg }}",
            "dest": str(self._results / name),
            "mode": "0600",
        }
        self.tasks.append({"block": [judged], "rescue": [{"ansible.builtin.copy": kept}]})

    def said(self) -> dict[str, str]:
        """Return what was said by name, on one line; values that nothing was said to are not there."""
        run_tasks(self.folder, self.tasks)
        return {path.name: " ".join(path.read_text().split()) for path in self._results.iterdir()}


class Refusals:
    """The tests of values that are good and of values that are not; a class of a test file gives both.

    ``class TestMistakes(Refusals, role="lockout", file=MAIN, good=GOOD, mistakes=MISTAKES)``

    Args:
        role: The role; empty where each of the values stands behind the name of its own.
        file: The file that every refusal must name; empty where the words have it.
        good: Values by name.
        mistakes: Values by name, and the words that must lead out.
        given: What all of them are given besides.
    """

    _file: ClassVar[str]
    _given: ClassVar[Values]
    _good: ClassVar[Mapping[str, tuple[str, Values]]]
    _mistakes: ClassVar[Mapping[str, tuple[str, Values, list[str]]]]

    def __init_subclass__(
        cls,
        *,
        good: Mapping[str, Any],
        mistakes: Mapping[str, tuple[Any, ...]],
        file: str = "",
        role: str = "",
        given: Values | None = None,
    ) -> None:
        """Take what a test file gives."""
        super().__init_subclass__()
        cls._file, cls._given = file, given or {}
        cls._good = {name: (role, one) if role else one for name, one in good.items()}
        cls._mistakes = {name: (role, *one) if role else one for name, one in mistakes.items()}

    @classmethod
    def prepare(cls, judge: Judge) -> None:
        """Make ready what the values name; nothing, where a test file does not say."""

    @classmethod
    def attempt(cls, judge: Judge, name: str, role: str, values: Values) -> None:
        """Have one of them judged."""
        judge.attempt(name, role, {**cls._given, **values})

    @pytest.fixture(scope="class")
    @classmethod
    def said(cls, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
        """What was said to each."""
        judge = Judge(tmp_path_factory)
        cls.prepare(judge)
        for name, (role, values) in cls._good.items():
            cls.attempt(judge, name, role, values)
        for name, (role, values, _) in cls._mistakes.items():
            cls.attempt(judge, name, role, values)
        return judge.said()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make a test of each; pytest calls this."""
        for argument, names in (("good", self._good), ("mistake", self._mistakes)):
            if argument in metafunc.fixturenames:
                metafunc.parametrize(argument, names)

    def test_good_values_are_not_complained_about(self, said: dict[str, str], good: str) -> None:
        assert good not in said, said[good]

    def test_a_mistake_is_named_with_its_file_and_an_example(
        self, said: dict[str, str], mistake: str
    ) -> None:
        for word in [*self._mistakes[mistake][2], self._file]:
            assert word in said.get(mistake, "nothing was said"), json.dumps(said.get(mistake))
