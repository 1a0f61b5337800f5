"""The Logstash filters, by our own interpreter, against Elasticsearch's real ingest processors: the same."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.logging.events import FAILED, OWN_WORDS, event, samples, through_pipelines
from tests.logging.logstash.event import Event
from tests.logging.logstash.pipeline import Pipeline, sections

DATASETS = sorted({sample.dataset for sample in samples()})
# What no program writes, and what somebody might make one write.
ODD_LINES = (
    "",
    " ",
    "{",
    "[]",
    "null",
    "{}",
    '{"message": {}}',
    '{"message": "a", "assistant": 3, "error": "x", "event": []}',
    '{"@timestamp": "soon"}',
    '{"@timestamp": "2026-11-27T00:00:00.5+08:00", "trace": {"id": "a"}, "http": [], "url": "x"}',
    "日志 ✓ \u0000",
    "x" * 40000,
    "Accepted password for a from ::1 port 2 ssh2",
    "Failed password for invalid user root from 1.2.3.4 port 5 from 203.0.113.9 port 4 ssh2",
    "pam_unix(sudo:auth): authentication failure; logname= uid=1000 tty=/dev/pts/0 ruser=op rhost=  user=op",
    "op : 3 incorrect password attempts ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id --password=hunter2-S3cret",
    'time="2026-11-27T00:58:39Z" level=info msg=x error="a \\"b\\" c" container=1',
    "2026-11-27 01:02:04,020 fail2ban.actions        [3713]: NOTICE  [sshd] Ban 2001:db8::7",
    "type=USER_LOGIN msg=audit(1.2:3): pid=1 uid=0 auid=1000 res=failed addr=?",
    "2026/11/27 00:59:38 [error] 17#17: *3 limiting requests, client: 203.0.113.9, server: x",
    "[UFW AUDIT] IN= OUT=lo SRC=::1 DST=::1 LEN=60 PROTO=UDP SPT=1 DPT=2 LEN=40",
    "Invoked with token=abcdef0123456789 https://u:pass@example.org/",
)


@pytest.fixture(scope="module")
def logstash() -> Pipeline:
    return Pipeline(sections())


def compare(client: httpx.Client, logstash: Pipeline, shipped: list[dict[str, Any]]) -> list[object]:
    """Return how the results differ, line by line."""
    differences: list[object] = []
    for source, made in zip(shipped, through_pipelines(client, shipped), strict=True):
        ours = logstash.run(source)
        assert ours is not None
        wanted, given = Event(made).sent(), ours.sent()
        # A line that cannot be read says why in the engine's own words.
        own_words = OWN_WORDS if FAILED in wanted.get("tags", []) else OWN_WORDS[:1]
        names = (set(wanted) | set(given)) - set(own_words)
        different = {
            name: (wanted.get(name), given.get(name))
            for name in sorted(names)
            if wanted.get(name) != given.get(name)
        }
        if different:
            differences.append((source["message"][:200], different))
    return differences


def test_every_sample_becomes_the_same(pipelines: httpx.Client, logstash: Pipeline) -> None:
    assert compare(pipelines, logstash, [sample.event for sample in samples()]) == []


@pytest.mark.parametrize("dataset", DATASETS)
def test_odd_lines_become_the_same(pipelines: httpx.Client, logstash: Pipeline, dataset: str) -> None:
    place = {"path": "/a", "device_id": "1", "inode": "2", "fingerprint": "3"}
    container = {
        "docker": {"attrs": {"tag": "ai-core"}},
        "log": {"offset": 7, "file": place},
        "process": {"thread": {"capabilities": {"effective": ["x"]}}},
    }
    shipped = [event(dataset, line) for line in ODD_LINES]
    shipped += [event(dataset, line, **container) for line in ODD_LINES[:8]]
    if dataset not in ("app", "nginx"):
        journal = {"syslog": {"identifier": "sshd", "pid": "7"}, "journald": {"pid": 8}}
        shipped += [event(dataset, line, **journal) for line in ODD_LINES]
    assert compare(pipelines, logstash, shipped) == []


def test_a_difference_is_seen(pipelines: httpx.Client) -> None:
    without_auth = [section for section in sections() if "auth-sshd" not in str(section)]
    shipped = [event("auth", "Accepted password for a from ::1 port 2 ssh2", syslog={"identifier": "sshd"})]
    assert compare(pipelines, Pipeline(without_auth), shipped)
