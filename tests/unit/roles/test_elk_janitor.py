"""The janitor deletes the oldest logs while all of them are too much, and never what is being written."""

from __future__ import annotations

from typing import Any

from tests.unit.repository.project import ROOT
from tests.unit.roles.loading import load_file

janitor = load_file(ROOT / "roles/elk/files/ai-assistant-elk-janitor")
PATTERN = "logs-ai_assistant.*"


class Fake:
    """Streams with their indices (name -> age and size), as Elasticsearch shows them."""

    def __init__(self, streams: dict[str, dict[str, tuple[int, int]]]) -> None:
        self.streams = streams
        self.asked: list[str] = []

    def call(self, method: str, path: str) -> Any:
        if method != "GET":
            self.asked.append(f"{method} {path}")
            return {}
        if path.startswith(f"/_resolve/index/{PATTERN}"):
            shown = [
                {"name": name, "backing_indices": list(indices)} for name, indices in self.streams.items()
            ]
            return {"data_streams": shown}
        assert path.startswith(f"/_cat/indices/{PATTERN}") and "bytes=b" in path
        return [
            {"index": index, "creation.date": str(created), "store.size": str(size) if size else None}
            for indices in self.streams.values()
            for index, (created, size) in indices.items()
        ]


STREAMS = {
    "app": {"app-1": (1, 400), "app-2": (5, 300), "app-3": (9, 100)},
    "auth": {"auth-1": (3, 200), "auth-2": (7, 0)},
}


def test_nothing_is_deleted_while_all_fits() -> None:
    fake = Fake(STREAMS)
    assert janitor.clean(fake, PATTERN, 1000) == [] and fake.asked == []


def test_the_oldest_go_first_and_no_more_than_must() -> None:
    fake = Fake(STREAMS)
    done = janitor.clean(fake, PATTERN, 450)
    assert fake.asked == ["DELETE /app-1", "DELETE /auth-1"]
    assert len(done) == 2 and "elk_max_total_size" in done[0]


def test_what_is_written_stays_and_the_largest_begins_anew() -> None:
    fake = Fake(STREAMS)
    done = janitor.clean(fake, PATTERN, 50)
    assert fake.asked == ["DELETE /app-1", "DELETE /auth-1", "DELETE /app-2", "POST /app/_rollover"]
    assert "begins a new index" in done[-1]


def test_without_any_logs_there_is_nothing_to_do() -> None:
    fake = Fake({})
    assert janitor.clean(fake, PATTERN, 1) == [] and fake.asked == []
