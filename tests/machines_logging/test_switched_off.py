"""The host leaves the group: Filebeat and all of the logging is gone, and the assistant answers on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.machines_logging.join import GROUP_FILE
from tests.machines_verify.leaving import Afterwards, without_group
from tests.machines_verify.machine_access import on_machine


@pytest.fixture(scope="module", autouse=True)
def without_the_group() -> Iterator[None]:
    """The inventory without its group ``logging``, applied."""
    assert on_machine("systemctl is-active filebeat").strip() == "active"
    with without_group(GROUP_FILE):
        yield


def test_filebeat_is_gone() -> None:
    assert on_machine("systemctl is-active filebeat || true").strip() == "inactive"
    assert on_machine("command -v filebeat || true").strip() == ""
    assert on_machine("pgrep -x filebeat || true").strip() == ""


def test_nothing_is_left_of_it() -> None:
    left = on_machine(
        "ls -d /etc/filebeat /etc/ai-assistant-elk /usr/share/filebeat /etc/systemd/system/*elk* "
        "/etc/systemd/system/filebeat* /usr/local/sbin/*elk* 2>/dev/null || true"
    )
    assert left.strip() == ""
    assert on_machine("systemctl --failed --no-legend --plain").strip() == ""


class TestAfterwards(Afterwards):
    """What the host was for goes on."""
