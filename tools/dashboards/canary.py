"""The stable model against a candidate: the same figures side by side, by the label ``arm``."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from tools.dashboards import limits
from tools.dashboards.parts import (
    ASSISTANT,
    above,
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

_FAILED = 'outcome="failed"'
_GOOD = 'score="good"'


def _increase(metric: str, where: str = "", by: str = "") -> str:
    selector = f"{ASSISTANT},{where}" if where else ASSISTANT
    return f"sum{f' by ({by})' if by else ''} (increase({metric}{{{selector}}}[$__range]))"


def _of(arm: str, metric: str, where: str = "") -> str:
    selector = f'arm="{arm}"' + (f",{where}" if where else "")
    return f"({_increase(metric, selector)} or vector(0))"


def canary() -> dashboard.Dashboard:
    """Return the dashboard that decides about a candidate."""
    made = frame(
        "assistant-canary",
        "Canary",
        (
            "Is the candidate model as good as the stable one? Without one only the stable model is here.",
            "候选模型是否不逊于稳定模型？没有候选时仅显示稳定模型。",
        ),
        "assistant_ready",
    ).annotation(restarts())
    _release(made)
    _now(made)
    _side_by_side(made)
    return made


def _release(made: dashboard.Dashboard) -> None:
    section(
        made,
        "Release 发布",
        listing(
            "State of the release",
            (
                "State of the newest release: loading, running, paused, promoting, promoted, rolled_back or "
                "aborted.",
                "最近一次灰度发布的状态：加载、运行、暂停、晋级中、已晋级、已回滚、已中止。",
            ),
            f"assistant_rollout_state{{{ASSISTANT}}} == 1",
            hidden=("Value",),
            width=6,
        ),
        number(
            "Share it is meant to have",
            (
                "Share of the conversations that go to the candidate; 0 without a release.",
                "分配给候选模型的会话比例；没有发布时为 0。",
            ),
            "percentunit",
            f"max(assistant_rollout_share{{{ASSISTANT}}})",
            width=4,
        ),
        number(
            "Time it has run",
            ("How long the newest release has run, without pauses.", "最近一次发布的运行时长，不含暂停。"),
            "s",
            f"max(assistant_rollout_elapsed_seconds{{{ASSISTANT}}})",
            width=4,
        ),
        graph(
            "Failed and finished by arm",
            ("Finished messages in a second, by arm and outcome.", "各分支每秒完成的消息数，按结果区分。"),
            "reqps",
            query(rate("assistant_messages_total", "arm, outcome"), "{{arm}} {{outcome}}"),
            width=10,
        ),
    )


def _now(made: dashboard.Dashboard) -> None:
    messages = "assistant_messages_total"
    section(
        made,
        "In the time shown 所选时段",
        number(
            "Share of the candidate",
            ("Share of the finished messages that the candidate took.", "由候选模型处理的消息比例。"),
            "percentunit",
            f"{_of('candidate', messages)} / ({_increase(messages)} > 0)",
            width=4,
        ),
        number(
            "Messages: stable",
            ("Messages that the stable model finished.", "稳定模型完成的消息数。"),
            "none",
            _of("stable", messages),
            width=4,
            decimals=0,
        ),
        number(
            "Messages: candidate",
            (
                "Messages that the candidate finished; below some hundreds its shares say little.",
                "候选模型完成的消息数；少于数百条时比例意义不大。",
            ),
            "none",
            _of("candidate", messages),
            width=4,
            decimals=0,
        ),
        number(
            "Failed: candidate minus stable",
            (
                "Difference of the shares of failed messages; positive means that the candidate is worse.",
                "失败比例之差；为正表示候选模型更差。",
            ),
            "percentunit",
            f"{_of('candidate', messages, _FAILED)} / clamp_min({_of('candidate', messages)}, 1)"
            f" - {_of('stable', messages, _FAILED)} / clamp_min({_of('stable', messages)}, 1)",
            width=4,
            steps=above(0.01),
        ),
        number(
            "Good ratings: stable",
            ("Share of the rated answers that people found good.", "被评为好的比例（稳定模型）。"),
            "percentunit",
            f"{_of('stable', 'assistant_ratings_total', _GOOD)}"
            f" / ({_of('stable', 'assistant_ratings_total')} > 0)",
            width=4,
        ),
        number(
            "Good ratings: candidate",
            ("The same for the candidate.", "被评为好的比例（候选模型）。"),
            "percentunit",
            f"{_of('candidate', 'assistant_ratings_total', _GOOD)}"
            f" / ({_of('candidate', 'assistant_ratings_total')} > 0)",
            width=4,
        ),
    )


def _side_by_side(made: dashboard.Dashboard) -> None:
    failed = rate("assistant_messages_total", "arm", _FAILED)
    section(
        made,
        "Side by side 并列对比",
        graph(
            "Messages",
            ("Finished messages in a second.", "每秒完成的消息数。"),
            "reqps",
            query(rate("assistant_messages_total", "arm"), "{{arm}}"),
            stacked=True,
        ),
        graph(
            "Errors: share that failed",
            ("Share of the finished messages that failed.", "失败消息的比例。"),
            "percentunit",
            query(f"{failed} / ({rate('assistant_messages_total', 'arm')} > 0)", "{{arm}}"),
            steps=above(limits.ERROR_RATIO),
        ),
        graph(
            "Engine errors",
            ("Answers in a second that a model could not make at a try.", "每秒模型未能生成的回答。"),
            "ops",
            query(rate("assistant_engine_errors_total", "arm, kind"), "{{arm}} {{kind}}"),
        ),
        graph(
            "Latency: first token, p95",
            ("95 % of answers begin within this time.", "95% 的回答在此时间内开始输出。"),
            "s",
            query(quantile(0.95, "assistant_time_to_first_token_seconds", "arm"), "{{arm}}"),
            steps=above(limits.FIRST_WORDS_SECONDS),
        ),
        graph(
            "Latency: generation, p95",
            ("95 % of answers are written within this time.", "95% 的回答在此时间内生成完毕。"),
            "s",
            query(quantile(0.95, "assistant_generation_seconds", "arm"), "{{arm}}"),
        ),
        graph(
            "Latency: whole answers, p95",
            (
                "From a message's arrival until its whole answer was handed to the channel.",
                "从消息到达到完整回答交给渠道的时间。",
            ),
            "s",
            query(quantile(0.95, "assistant_answer_seconds", "arm"), "{{arm}}"),
        ),
        graph(
            "Tokens written",
            ("Tokens written in a second.", "每秒生成的 token 数。"),
            "none",
            query(rate("assistant_tokens_total", "arm", 'kind="completion"'), "{{arm}}"),
        ),
        graph(
            "Ratings",
            ("Ratings of people in the last hour.", "最近一小时的用户评价。"),
            "none",
            query(
                f"sum by (arm, score) (increase(assistant_ratings_total{{{ASSISTANT}}}[1h]))",
                "{{arm}} {{score}}",
            ),
        ),
        listing(
            "Models",
            ("Which model each arm is.", "各分支对应的模型。"),
            f"assistant_model_info{{{ASSISTANT}}}",
            hidden=("Value",),
            width=8,
        ),
    )
