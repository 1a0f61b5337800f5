"""The words of a message, the same for every channel."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Callable

from alert_relay.alerts import Alert, Notification
from alert_relay.config import Config

CRITICAL, WARNING, RESOLVED, INFO = "critical", "warning", "resolved", "info"
_SIGNS = {CRITICAL: "🔴", WARNING: "🟠", RESOLVED: "✅", INFO: "🔵"}


@dataclass(frozen=True)
class Message:
    """What a chat is told.

    ``level`` is critical, warning, resolved or info. ``blocks`` are paragraphs, one for each alert;
    where a platform's limit cuts the last ones off, ``more`` (with ``{count}``) says so. ``link`` leads
    to the runbook, empty where there is no address for it.
    """

    title: str
    level: str
    blocks: tuple[str, ...]
    more: str = "+{count}"
    link: str = ""
    link_text: str = ""

    def to_json(self) -> str:
        """Return it as text for the outbox."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @staticmethod
    def from_json(text: str) -> Message:
        """Return what ``to_json`` made a text of."""
        values = json.loads(text)
        return Message(**{**values, "blocks": tuple(values["blocks"])})


class Words:
    """Makes messages in the configured language."""

    def __init__(self, config: Config) -> None:
        """Take language, title and the runbooks' address from ``config``."""
        self._language = config.language
        self._title = config.title
        self._runbooks = config.runbook_base_url.rstrip("/")

    def of_alerts(self, news: Notification) -> Message:
        """Return the message about a group's alerts."""
        firing = [alert for alert in news.alerts if alert.status == "firing"]
        shown = firing or list(news.alerts)
        if not firing:
            level, state = RESOLVED, self._both("resolved", "已恢复")
        else:
            critical = any(alert.severity == CRITICAL for alert in firing)
            level = CRITICAL if critical else WARNING
            state = self._both("firing", "告警")
        names = sorted({alert.name for alert in shown})
        count = f" x{len(shown) + news.truncated}" if len(shown) + news.truncated > 1 else ""
        links = sorted({link for link in map(self._link, shown) if link})
        ordered = sorted(news.alerts, key=lambda one: (one.status != "firing", one.severity != CRITICAL))
        return Message(
            self._headline(level, state, ", ".join(names) + count),
            level,
            tuple(self._block(alert) for alert in ordered),
            self._more(),
            links[0] if len(links) == 1 else "",
            self._both("Runbook", "处置手册") if len(links) == 1 else "",
        )

    def of_silence(self, last: float | None) -> Message:
        """Return the message that no heartbeat comes; the ``last`` one came then (seconds since 1970)."""
        since = (
            _shown(datetime.fromtimestamp(last, timezone.utc)) if last else self._both("never", "从未收到")
        )
        return Message(
            self._headline(CRITICAL, self._both("monitoring is silent", "监控失联"), ""),
            CRITICAL,
            (
                self._lines(
                    "The heartbeat of monitoring (alert Watchdog) stays away: Prometheus or Alertmanager is"
                    " down, and no alert can come. On the monitoring host: systemctl status prometheus"
                    " prometheus-alertmanager",
                    "监控心跳（Watchdog 告警）中断：Prometheus 或 Alertmanager 已停止，期间不会再有任何告警。"
                    "请在监控主机上运行：systemctl status prometheus prometheus-alertmanager",
                )
                + f"\n{self._both('Last heartbeat', '最后心跳')}: {since}",
            ),
        )

    def of_return(self) -> Message:
        """Return the message that heartbeats come again."""
        return Message(
            self._headline(RESOLVED, self._both("monitoring is back", "监控已恢复"), ""),
            RESOLVED,
            (self._lines("The heartbeat of monitoring comes again.", "监控心跳已恢复。"),),
        )

    def of_test(self, chat: str) -> Message:
        """Return the message of ``python3 -m alert_relay test``."""
        return Message(
            self._headline(INFO, self._both("test message", "测试消息"), chat),
            INFO,
            (
                self._lines(
                    "Alerts will be posted in this chat. Nothing is wrong.",
                    "告警消息将发送到此会话。当前没有任何故障。",
                ),
            ),
        )

    def _headline(self, level: str, state: str, what: str) -> str:
        return " · ".join(part for part in (f"{_SIGNS[level]} {self._title}", state, what) if part)

    def _block(self, alert: Alert) -> str:
        notes = alert.annotations
        summary = self._annotations(alert, "summary") or [alert.name]
        lines = list(summary)
        resolved = alert.status == "resolved"
        if not resolved:
            # Its values are those of the time when it fired: misleading once it is over.
            lines += self._annotations(alert, "description")
            if notes.get("value"):
                lines.append(f"{self._both('Value', '当前值')}: {notes['value']}")
        severity = self._both(alert.severity, _SEVERITIES.get(alert.severity, alert.severity))
        lines.append(f"{self._both('Severity', '级别')}: {severity}")
        host = alert.labels.get("instance") or alert.labels.get("target")
        if host:
            lines.append(f"{self._both('Host', '主机')}: {host}")
        if alert.labels.get("target") and alert.labels["target"] != host:
            lines.append(f"{self._both('Address', '地址')}: {alert.labels['target']}")
        lines.append(f"{self._both('Since', '开始时间')}: {_shown(alert.starts_at)}")
        if resolved:
            lines.append(f"{self._both('Resolved', '恢复时间')}: {_shown(alert.ends_at)}")
        runbook = self._link(alert) or notes.get("runbook")
        if runbook:
            lines.append(f"{self._both('Runbook', '处置手册')}: {runbook}")
        return "\n".join(lines)

    def _annotations(self, alert: Alert, name: str) -> list[str]:
        wanted = {"en": ("en",), "zh": ("zh",), "both": ("zh", "en")}[self._language]
        found = [alert.annotations.get(f"{name}_{language}", "") for language in wanted]
        # A rule of the operator's own may have one language, or the usual names without any.
        rest = [alert.annotations.get(key, "") for key in (name, f"{name}_en", f"{name}_zh")]
        return _unique(found) or _unique(rest)[:1]

    def _link(self, alert: Alert) -> str:
        runbook = alert.annotations.get("runbook") or alert.annotations.get("runbook_url", "")
        if runbook.startswith(("http://", "https://")):
            return runbook
        return f"{self._runbooks}/{runbook.lstrip('/')}" if runbook and self._runbooks else ""

    def _more(self) -> str:
        return self._lines("and {count} more", "另有 {count} 条")

    def _both(self, english: str, chinese: str) -> str:
        if self._language == "both" and english != chinese:
            return f"{chinese} {english}"
        return english if self._language == "en" else chinese

    def _lines(self, english: str, chinese: str) -> str:
        return {"en": english, "zh": chinese, "both": f"{chinese}\n{english}"}[self._language]


_SEVERITIES = {CRITICAL: "严重", WARNING: "警告"}


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(text.strip() for text in texts if text.strip()))


def _shown(moment: datetime) -> str:
    """Return a time as people on this host read it, with its distance from UTC."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S UTC%z")


def fit(blocks: Sequence[str], more: str, fits: Callable[[str], bool]) -> str:
    """Return as many whole blocks as a platform takes, and how many were left out.

    Args:
        blocks: paragraphs, the most important first.
        more: what stands for those left out, with ``{count}``.
        fits: tells whether the platform takes a text.

    Returns:
        the text; where not even the first block fits, its beginning.
    """
    for count in range(len(blocks), 0, -1):
        rest = [more.format(count=len(blocks) - count)] if count < len(blocks) else []
        text = "\n\n".join([*blocks[:count], *rest])
        if fits(text):
            return text
    first, low, high = blocks[0], 0, len(blocks[0])
    while low < high:  # the longest beginning that fits
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(first[:middle] + "…") else (low, middle - 1)
    return first[:low] + "…"
