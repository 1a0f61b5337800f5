"""The arithmetic of ``make bench-inference`` and ``make soak-inference``."""

import pytest

from tests.bench.cold_start import ColdStarts, Start
from tests.bench.inference.__main__ import figures, start_figures
from tests.bench.inference.load import Answer, Round
from tests.bench.soak.__main__ import _figures as soak_figures
from tests.bench.soak.container import Memory
from tests.bench.soak.people import Answer as Said
from tests.bench.soak.people import Talk

MIB = 2**20


def sample(server: str, number: int, speed: float, wait: float) -> dict[str, object]:
    return {
        "server": server,
        "round": number,
        "callers": 8,
        "requests_per_second": speed,
        "first_token_p50_seconds": wait / 2,
        "first_token_p99_seconds": wait,
    }


def test_a_ratio_is_made_within_a_round_and_the_median_is_taken() -> None:
    samples = []
    # The machine was half as fast in the second round, for everybody.
    for number, slow in enumerate((1.0, 0.5, 1.0)):
        samples.append(sample("assistant", number, 4.0 * slow + number / 10, 1.0))
        samples.append(sample("llama_server", number, 2.0 * slow, 2.0))
        samples.append(sample("llama_cpp_server", number, 1.0 * slow, 8.0))
    found = figures(samples)
    assert found["requests_ratio_llama_server_c8"] == pytest.approx(2.1)
    assert found["requests_ratio_llama_server_c8_min"] == pytest.approx(2.0)
    assert found["requests_ratio_llama_cpp_server_c8_max"] == pytest.approx(4.2)
    assert found["ttft_p99_ratio_llama_server_c8"] == pytest.approx(0.5)
    assert found["requests_per_second_assistant_c8"] == pytest.approx(4.0)


def test_a_server_that_was_not_asked_has_no_figures() -> None:
    found = figures([sample("assistant", 0, 3.0, 1.0), sample("llama_server", 0, 2.0, 2.0)])
    assert found["requests_ratio_llama_server_c8"] == pytest.approx(1.5)
    assert not [name for name in found if "llama_cpp_server" in name]


def test_a_percentile_is_a_value_that_was_measured() -> None:
    answers = [Answer(sent=1.0, first=1.0 + n / 10, last=9.0, pieces=1) for n in range(1, 11)]
    done = Round(answers, seconds=5.0)
    assert done.requests_per_second == 2.0
    assert done.first_token_percentile(50) == pytest.approx(0.5)
    assert done.first_token_percentile(99) == pytest.approx(1.0)


def test_a_start_is_compared_with_the_default_of_its_pair() -> None:
    ours = [Start(1.0, 100 * MIB, 0, 0), Start(2.0, 300 * MIB, 0, 0), Start(1.0, 200 * MIB, 0, 0)]
    default = [Start(3.0, MIB, 0, 0), Start(4.0, MIB, 0, 0), Start(1.0, MIB, 0, 0)]
    found = start_figures(ColdStarts(ours, default), "cold")
    assert found["cold_start_ratio_3b"] == 2.0
    assert (found["cold_start_ratio_3b_min"], found["cold_start_ratio_3b_max"]) == (1.0, 3.0)
    assert found["cold_start_seconds_assistant_3b"] == 1.0
    assert found["cold_start_resident_mib_assistant_3b"] == 200.0


def test_the_soak_reports_the_most_memory_that_was_seen() -> None:
    talk = Talk(10.0, [Said(1.0, 2.0, 30, 0), Said(3.0, 4.0, 20, 1)], ["late"])
    seen = [Memory(5 * MIB, 3 * MIB, 4 * MIB, 0), Memory(7 * MIB, 2 * MIB, 6 * MIB, 0)]
    found = soak_figures(talk, seen)
    assert (found["memory_peak_mib"], found["memory_anonymous_mib"], found["resident_mib"]) == (7, 3, 6)
    assert (found["tokens_per_second"], found["answers"], found["errors"]) == (5.0, 2, 1)
    assert (found["first_token_p50_seconds"], found["first_token_p99_seconds"]) == (1.0, 3.0)
    assert found["first_token_later_turns_p50_seconds"] == 3.0
