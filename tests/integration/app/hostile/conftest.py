"""The budget, the seed, the count, and an assistant whose every row is accounted for.

``make hostile`` sends 10,000 requests with a new seed; ``make test`` a small share with always the same one.
``HOSTILE_SEED`` repeats a run, ``HOSTILE_REQUESTS`` sets its size.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings

from tests.integration.app.conftest import Maker, Platforms
from tests.integration.app.hostile.target import Target

REQUESTS = int(os.environ.get("HOSTILE_REQUESTS", "400"))
# Always the same for a share: what a change breaks must not hide behind luck.
SEED = int(os.environ.get("HOSTILE_SEED", "1"))
COUNTS: Counter[str] = Counter()
SETTINGS = {"ASSISTANT_MAX_TOKENS": "2", "ASSISTANT_WEB_CHAT_ACCESS": "code"}
DATABASES = ("sqlite", "postgresql")


def hostile(share: float) -> Callable[[Any], Any]:
    """Run a test with this share of the budget, half of it on each database; the seed is the run's."""
    wanted = max(1, round(REQUESTS * share / len(DATABASES)))

    def decorate(test: Any) -> Any:
        chosen = settings(
            max_examples=wanted,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        return seed(SEED)(chosen(test))

    return decorate


@pytest.fixture(scope="module", params=DATABASES)
def target(request: pytest.FixtureRequest, make_assistant: Maker, platforms: Platforms) -> Iterator[Target]:
    """An assistant on either database, judged as a whole at the end of each file."""
    url = ""
    if request.param == "postgresql":
        make: Callable[[], str] = request.getfixturevalue("new_postgres_database")
        url = make()
    assistant = make_assistant({**platforms.settings(), **SETTINGS}, url)
    assistant.start()
    found = Target(assistant, COUNTS)
    yield found
    found.close()
    found.judge()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was sent, and how to send it again."""
    if COUNTS:
        counts = ", ".join(f"{name} {count}" for name, count in sorted(COUNTS.items()))
        terminalreporter.write_line(
            f"hostile requests: {sum(COUNTS.values())} ({counts}); again: HOSTILE_SEED={SEED}"
        )
