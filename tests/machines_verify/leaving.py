"""A host leaves a group of the inventory; then what is the same, whichever group it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.machines_verify.served_model import INVENTORY, says
from tests.machines_verify.site_run import run_site


@contextmanager
def without_group(file: str) -> Iterator[None]:
    """Apply the inventory without this file of a group; after the block the file is back, and not applied."""
    group = INVENTORY / file
    aside = group.with_name(f"{file}.bak")  # an ending that Ansible does not read
    group.rename(aside)
    try:
        run = run_site(INVENTORY)
        assert run.status == 0, run.output[-3000:]
        assert run.changed > 0, run.output[-3000:]
        yield
    finally:
        aside.rename(group)


class Afterwards:
    """The last tests of a file, in a class of its own."""

    def test_the_assistant_answers_on(self) -> None:
        assert says("Hello").strip()

    def test_another_run_changes_nothing(self) -> None:
        run = run_site(INVENTORY)
        assert run.status == 0, run.output[-3000:]
        assert run.changed == 0, run.output[-3000:]
