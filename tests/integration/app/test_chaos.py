"""A small run of `make chaos`: what the large one needs works, and nothing is lost or doubled here either."""

from pathlib import Path

import pytest

from tests.chaos.plan import make_plan
from tests.chaos.run import run


@pytest.mark.slow
def test_kills_and_a_failing_network(tmp_path: Path) -> None:
    plan = make_plan(seed=31, messages=16, conversations=6, kills=2)
    directory = tmp_path / "chaos"
    directory.mkdir()
    result = run(f"sqlite:///{directory}/assistant.db", plan, directory, share=0.1, lost_answers=False)
    assert (result.figures["messages"], result.figures["kills"]) == (16, 2)
    assert result.figures["platform_calls"] >= 16
    verdict = result.verdict
    assert (verdict.lost, verdict.order_violations, verdict.misplaced) == ([], [], [])
    assert (verdict.doubles["feishu"], verdict.unexplained) == ([], [])
    assert (result.figures["mixed_contexts"], result.figures["dead_letters"]) == (0, 0)
