"""The service at a glance: the four golden signals, the service level, queues, people and alerts."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from tools.dashboards import limits
from tools.dashboards.parts import (
    ASSISTANT,
    INSTANCE,
    above,
    below,
    frame,
    graph,
    listing,
    number,
    quantile,
    query,
    rate,
    restarts,
    section,
)

_BUDGET = f"1 - max(assistant:availability:error_ratio_3d{{{INSTANCE}}}) / {1 - limits.AVAILABILITY:.4g}"
_FIRING = f'ALERTS{{alertstate="firing",severity=~"critical|warning",{INSTANCE}}}'


def overview() -> dashboard.Dashboard:
    """Return the dashboard that an on-call engineer opens first."""
    made = frame(
        "assistant-overview",
        "Overview",
        (
            "Does it answer, how fast, how reliably, and what waits? Red is where an alert begins.",
            "助手是否正常回答、多快、多可靠、还有什么在排队？变红处即告警开始处。",
        ),
        "assistant_ready",
    ).annotation(restarts())
    _now(made)
    _golden_signals(made)
    _service_level(made)
    _queues(made)
    _people(made)
    _alerts(made)
    return made


def _now(made: dashboard.Dashboard) -> None:
    section(
        made,
        "Now 当前",
        number(
            "Ready",
            ("Whether every selected assistant answers (/readyz).", "所选的每个助手是否就绪（/readyz）。"),
            "none",
            f"min(assistant_ready{{{ASSISTANT}}}) or min(up{{{ASSISTANT}}})",
            words={1: ("ready", "green"), 0: ("not ready", "red")},
            steps=below(1),
        ),
        number(
            "Alerts",
            ("Alerts that fire now; the table below names them.", "正在触发的告警数，名称见下方表格。"),
            "none",
            f"count({_FIRING}) or vector(0)",
            steps=above(1),
        ),
        number(
            "Errors",
            ("Share of requests and messages that failed in the last minute.", "最近一分钟失败的比例。"),
            "percentunit",
            f"max(assistant:error_ratio{{{INSTANCE}}})",
            steps=above(limits.ERROR_RATIO),
        ),
        number(
            "Acknowledgement, p99",
            ("99 % of messages are acknowledged within this time.", "99% 的消息在此时间内得到确认。"),
            "s",
            f"max(assistant:ack_seconds:p99_5m{{{INSTANCE}}})",
            steps=above(limits.ACK_SECONDS),
        ),
        number(
            "Oldest message",
            ("How long the oldest unanswered message waits.", "最早一条未回答消息的等待时间。"),
            "s",
            f"max(assistant_inbox_oldest_seconds{{{ASSISTANT}}})",
            steps=above(limits.OLDEST_SECONDS),
        ),
        number(
            "Dead letters",
            ("Replies that were given up; assistant inbox shows them.", "已放弃发送的回复数。"),
            "none",
            f"sum(assistant_dead_letters{{{ASSISTANT}}})",
            steps=above(1),
        ),
        number(
            "Error budget left",
            (
                f"What 3 days left of the failures that {limits.AVAILABILITY:.1%} availability allows.",
                f"在 {limits.AVAILABILITY:.1%} 可用性目标下，最近三天剩余的错误预算。",
            ),
            "percentunit",
            _BUDGET,
            steps=((None, "red"), (0, "orange"), (0.25, "green")),
            decimals=0,
        ),
        number(
            "Certificate",
            ("Days until the public certificate ends.", "公网证书剩余天数。"),
            "d",
            'min(probe_ssl_earliest_cert_expiry{job="blackbox"} - time()) / 86400',
            steps=below(limits.CERTIFICATE_DAYS),
            decimals=0,
        ),
    )


def _golden_signals(made: dashboard.Dashboard) -> None:
    section(
        made,
        "Golden signals 四大黄金信号",
        graph(
            "Traffic: what came in",
            ("Messages and API requests in a second, by channel.", "每秒到达的消息和 API 请求，按渠道。"),
            "reqps",
            query(rate("assistant_requests_total", "channel"), "{{channel}}"),
            stacked=True,
        ),
        graph(
            "Errors: share that failed",
            (
                "Share that failed in the last minute; above the line for three samples it alerts.",
                "最近一分钟失败的比例；连续三个采样高于虚线即告警。",
            ),
            "percentunit",
            query(f"assistant:error_ratio{{{INSTANCE}}}", "{{instance}}"),
            steps=above(limits.ERROR_RATIO),
        ),
        graph(
            "Latency: acknowledgement",
            (
                "Until a message is stored and its platform is told so; p99 must stay below 500 ms.",
                "消息入库并应答平台所需时间；p99 应低于 500 毫秒。",
            ),
            "s",
            query(quantile(0.5, "assistant_ack_seconds"), "p50"),
            query(quantile(0.95, "assistant_ack_seconds"), "p95"),
            query(quantile(0.99, "assistant_ack_seconds"), "p99"),
            steps=above(limits.ACK_SECONDS),
        ),
        graph(
            "Latency: whole answers",
            (
                "From a message's arrival until its whole answer was handed to the channel, by channel.",
                "从消息到达到完整回答交给渠道的时间，按渠道。",
            ),
            "s",
            query(quantile(0.5, "assistant_answer_seconds", "channel"), "{{channel}} p50"),
            query(quantile(0.95, "assistant_answer_seconds", "channel"), "{{channel}} p95"),
        ),
        graph(
            "Latency: known answers",
            (
                "The same for answers out of the cache; p99 must stay below 500 ms.",
                "缓存命中的回答所需时间；p99 应低于 500 毫秒。",
            ),
            "s",
            query(quantile(0.5, "assistant_cached_answer_seconds"), "p50"),
            query(quantile(0.99, "assistant_cached_answer_seconds"), "p99"),
            steps=above(limits.ACK_SECONDS),
        ),
        graph(
            "Saturation",
            (
                "Share of the model's rows, of its context memory (KV) and of the memory limit in use.",
                "模型并行行数、上下文缓存（KV）及内存上限的使用比例。",
            ),
            "percentunit",
            query(
                f"assistant_batch_rows{{{ASSISTANT}}} / assistant_batch_slots{{{ASSISTANT}}}",
                "{{instance}} rows",
            ),
            query(
                f"assistant_kv_tokens_used{{{ASSISTANT}}} / assistant_kv_tokens{{{ASSISTANT}}}",
                "{{instance}} KV",
            ),
            query(
                f"assistant_memory_bytes{{{ASSISTANT}}} / assistant_memory_limit_bytes{{{ASSISTANT}}}",
                "{{instance}} memory",
            ),
            steps=above(limits.MEMORY_RATIO),
            most=1,
        ),
    )


def _service_level(made: dashboard.Dashboard) -> None:
    allowed = f"{1 - limits.AVAILABILITY:.4g}"
    section(
        made,
        "Service level 服务水平",
        graph(
            "Burn rate of the error budget",
            (
                "1 spends the budget exactly within its time; the fast alert begins at the dashed line.",
                "等于 1 表示恰好在周期内用完错误预算；虚线为快速告警的起点。",
            ),
            "none",
            *(
                query(f"max(assistant:availability:error_ratio_{window}{{{INSTANCE}}}) / {allowed}", window)
                for window in ("5m", "30m", "1h", "6h", "3d")
            ),
            steps=above(limits.BURN_FAST),
        ),
        graph(
            "Model loads that succeed",
            (
                "Share of the model's loads in 30 days that succeeded; the target is 99.9 %.",
                "三十天内模型加载成功的比例，目标 99.9%。",
            ),
            "percentunit",
            query(f"assistant:model_load_success:ratio30d{{{INSTANCE}}}", "{{instance}}"),
            steps=below(limits.LOAD_RATIO),
            most=1,
        ),
        graph(
            "Requests finished",
            (
                "Requests in a second; a host must manage 15 when that much is asked.",
                "每秒处理的请求数；有足够请求时每台主机应达到 15。",
            ),
            "reqps",
            query(f"assistant:requests:rate5m{{{INSTANCE}}}", "{{instance}}"),
            query(rate("assistant_messages_total", "outcome"), "messages {{outcome}}"),
            steps=((None, "transparent"), (limits.REQUESTS_PER_SECOND, "green")),
        ),
    )


def _queues(made: dashboard.Dashboard) -> None:
    section(
        made,
        "Queues and delivery 队列与投递",
        graph(
            "Waiting",
            ("Messages to be answered, and replies to be sent.", "待回答的消息与待发送的回复。"),
            "none",
            query(f"sum(assistant_inbox_waiting{{{ASSISTANT}}})", "messages"),
            query(f"sum(assistant_outbox_waiting{{{ASSISTANT}}})", "replies"),
            width=6,
        ),
        graph(
            "Age of the oldest",
            ("How long the oldest message and reply wait.", "最早的消息与回复已等待的时间。"),
            "s",
            query(f"max(assistant_inbox_oldest_seconds{{{ASSISTANT}}})", "message"),
            query(f"max(assistant_outbox_oldest_seconds{{{ASSISTANT}}})", "reply"),
            steps=above(limits.OLDEST_SECONDS),
            width=6,
        ),
        graph(
            "Replies",
            (
                "Tries to send a reply in a second: sent, tried again, given up.",
                "每秒的发送尝试：成功、重试、放弃。",
            ),
            "ops",
            query(rate("assistant_replies_total", "channel, outcome"), "{{channel}} {{outcome}}"),
            width=6,
        ),
        graph(
            "Dead letters over time",
            ("Replies that were given up and wait for somebody to look.", "已放弃、等待人工查看的回复。"),
            "none",
            query(f"assistant_dead_letters{{{ASSISTANT}}}", "{{instance}}"),
            steps=above(1),
            width=6,
        ),
    )


def _people(made: dashboard.Dashboard) -> None:
    section(
        made,
        "People 用户",
        graph(
            "Ratings",
            ("Answers that people rated in the last hour.", "最近一小时用户对回答的评价。"),
            "none",
            query(f"sum by (score) (increase(assistant_ratings_total{{{ASSISTANT}}}[1h]))", "{{score}}"),
        ),
        graph(
            "Refused, limited, duplicate",
            (
                "What came in and was not answered: wrong signatures, too many questions, sent twice.",
                "未被受理的请求：签名错误、超出限额、重复投递。",
            ),
            "reqps",
            query(rate("assistant_requests_total", "outcome", 'outcome!="accepted"'), "{{outcome}}"),
        ),
        graph(
            "HTTP responses",
            ("Responses in a second, by class of status.", "每秒 HTTP 响应，按状态码类别。"),
            "reqps",
            query(rate("assistant_http_responses_total", "code"), "{{code}}"),
            stacked=True,
        ),
    )


def _alerts(made: dashboard.Dashboard) -> None:
    runbooks = dashboard.DashboardLink("Runbooks 处理手册").url("/d/assistant-runbooks")
    section(
        made,
        "Alerts and targets 告警与目标",
        listing(
            "Firing alerts",
            (
                "Alerts that fire now. Their runbooks are in the dashboard Runbooks and in docs/runbooks.",
                "正在触发的告警。处理手册见 Runbooks 面板及 docs/runbooks。",
            ),
            _FIRING,
            hidden=("alertstate", "Value"),
            links=(runbooks,),
        ),
        graph(
            "Targets",
            (
                "1 where Prometheus reaches a target, 0 where not.",
                "Prometheus 能否抓取目标：1 为能，0 为不能。",
            ),
            "none",
            query("min by (job) (up)", "{{job}}"),
            query("min by (target) (probe_success)", "{{target}}"),
            width=6,
            most=1,
        ),
        graph(
            "Public address",
            (
                "How long the public address takes to answer over https, as seen by the probe.",
                "探针经 https 访问公网地址的耗时。",
            ),
            "s",
            query('max by (target) (probe_duration_seconds{job="blackbox"})', "{{target}}"),
            width=6,
        ),
    )
