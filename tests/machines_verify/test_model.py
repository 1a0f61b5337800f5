"""Another version of the model, back to the one before, and a file that must not become current."""

from __future__ import annotations

from pathlib import Path

from tests.machines_verify.served_model import answering, asked_all_the_time, current, play_model
from tools.demo_model.shipped import shipped

SECOND = shipped("demo-v1")


def test_a_second_version_and_back() -> None:
    first = current()
    with asked_all_the_time() as answers:
        swapped = play_model(model_source=str(SECOND), model_file=SECOND.name)
    assert swapped.status == 0, swapped.output[-3000:]
    assert current() == SECOND.name
    assert answering() == SECOND.stem
    assert answers.pop(Path(first).stem) > 0
    assert set(answers) <= {SECOND.stem}, "nobody was turned away"

    again = play_model(model_source=str(SECOND), model_file=SECOND.name)
    assert (again.status, again.changed) == (0, 0), again.output[-3000:]

    back = play_model(rollback="true")
    assert back.status == 0, back.output[-3000:]
    assert current() == first
    assert answering() == Path(first).stem


def test_a_model_that_is_cut_off_changes_nothing(tmp_path: Path) -> None:
    before = current()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(SECOND.read_bytes()[:-1000])
    run = play_model(model_source=str(cut), model_file=cut.name)
    assert run.status != 0
    assert run.changed == 0, run.output[-3000:]
    for word in ("model_source", "cut.gguf", "main.yml"):
        assert word in run.said, f"{word!r} is not in: {run.output[-3000:]}"
    assert current() == before
