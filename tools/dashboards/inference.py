"""The model at work: how soon and how fast it writes, how full it is, what goes wrong."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from tools.dashboards import limits
from tools.dashboards.parts import (
    ASSISTANT,
    above,
    below,
    frame,
    graph,
    listing,
    quantile,
    query,
    rate,
    restarts,
    section,
)

_WRITTEN = 'kind="completion"'
_HIT = 'result="hit"'


def inference() -> dashboard.Dashboard:
    """Return the dashboard of the model."""
    made = frame(
        "assistant-inference",
        "Inference",
        (
            "How soon and how fast the model writes, how full it is, and whether its loads succeed.",
            "模型多久开始输出、速度多快、负载多满、加载是否成功。",
        ),
        "assistant_ready",
    ).annotation(restarts())
    _speed(made)
    _room(made)
    _faults(made)
    return made


def _speed(made: dashboard.Dashboard) -> None:
    section(
        made,
        "Speed 速度",
        graph(
            "Time to first token",
            (
                "From a question's way to the model until the first words; waiting for a free row counts.",
                "从问题进入模型到输出首个词的时间，含等待空闲行的时间。",
            ),
            "s",
            query(quantile(0.5, "assistant_time_to_first_token_seconds"), "p50"),
            query(quantile(0.95, "assistant_time_to_first_token_seconds"), "p95"),
            query(quantile(0.99, "assistant_time_to_first_token_seconds"), "p99"),
            steps=above(limits.FIRST_WORDS_SECONDS),
        ),
        graph(
            "Generation",
            (
                "From a question's way to the model until its answer's end.",
                "从问题进入模型到回答结束的时间。",
            ),
            "s",
            query(quantile(0.5, "assistant_generation_seconds"), "p50"),
            query(quantile(0.95, "assistant_generation_seconds"), "p95"),
            query(quantile(0.99, "assistant_generation_seconds"), "p99"),
        ),
        graph(
            "Tokens",
            (
                "Tokens read (prompt) and written (completion) in a second, all conversations together.",
                "所有会话每秒读取（prompt）与生成（completion）的 token 数。",
            ),
            "none",
            query(rate("assistant_tokens_total", "kind"), "{{kind}}"),
        ),
        graph(
            "Tokens an answer",
            (
                "Written tokens for each answer of the model; a sudden fall often is a wrong model.",
                "每个回答平均生成的 token 数；骤降常意味着模型有误。",
            ),
            "none",
            query(
                f"{rate('assistant_tokens_total', where=_WRITTEN)}"
                f" / {rate('assistant_generation_seconds_count')}",
                "tokens",
            ),
        ),
        graph(
            "Answers out of the cache",
            (
                "Share of first questions whose answer was known already.",
                "首轮问题中命中回答缓存的比例。",
            ),
            "percentunit",
            query(
                f"{rate('assistant_answer_cache_total', where=_HIT)}"
                f" / {rate('assistant_answer_cache_total')}",
                "hits",
            ),
            most=1,
        ),
        graph(
            "Processor",
            (
                "Processor cores that the assistant's process uses.",
                "助手进程占用的处理器核数。",
            ),
            "none",
            query(rate("process_cpu_seconds_total", "instance"), "{{instance}}"),
        ),
    )


def _room(made: dashboard.Dashboard) -> None:
    section(
        made,
        "Room 容量",
        graph(
            "Batch",
            (
                "Conversations that are generating now, and how many can at once.",
                "正在生成的会话数，以及可同时生成的上限。",
            ),
            "none",
            query(f"assistant_batch_rows{{{ASSISTANT}}}", "{{instance}} rows"),
            query(f"assistant_batch_slots{{{ASSISTANT}}}", "{{instance}} slots"),
        ),
        graph(
            "Context memory (KV)",
            (
                "Tokens kept in the model's context, and how many it has room for.",
                "模型上下文中保存的 token 数及其上限。",
            ),
            "none",
            query(f"assistant_kv_tokens_used{{{ASSISTANT}}}", "{{instance}} used"),
            query(f"assistant_kv_tokens{{{ASSISTANT}}}", "{{instance}} room"),
        ),
        graph(
            "Memory",
            (
                "Memory of the container without what can be dropped, and its limit; alert from 90 % on.",
                "容器内存（不含可回收的文件缓存）及其上限；达 90% 告警。",
            ),
            "bytes",
            query(f"assistant_memory_bytes{{{ASSISTANT}}}", "{{instance}} used"),
            query(f"assistant_memory_limit_bytes{{{ASSISTANT}}}", "{{instance}} limit"),
        ),
    )


def _faults(made: dashboard.Dashboard) -> None:
    section(
        made,
        "Loads and faults 加载与故障",
        graph(
            "Model loads",
            (
                "Loads of the model by version and result since the beginning; a crash is a failure.",
                "各版本模型加载的累计次数与结果；崩溃计为失败。",
            ),
            "none",
            query(
                f"sum by (model, result) (assistant_model_loads_total{{{ASSISTANT}}})", "{{model}} {{result}}"
            ),
        ),
        graph(
            "Loads that succeed",
            (
                "Share of loads in 30 days that succeeded, by host; the target is 99.9 %.",
                "三十天内加载成功的比例，目标 99.9%。",
            ),
            "percentunit",
            query('assistant:model_load_success:ratio30d{instance=~"$instance"}', "{{instance}}"),
            steps=below(limits.LOAD_RATIO),
            most=1,
        ),
        graph(
            "Engine errors",
            (
                "Answers in a second that the model could not make at a try, by kind.",
                "每秒模型未能生成的回答，按原因。",
            ),
            "ops",
            query(rate("assistant_engine_errors_total", "kind"), "{{kind}}"),
            steps=((None, "transparent"),),
        ),
        listing(
            "Model and version",
            ("Which model and which version of the program each host runs.", "各主机运行的模型与程序版本。"),
            f"assistant_model_info{{{ASSISTANT}}} * on (instance) group_left (version) assistant_build_info",
            hidden=("Value",),
        ),
    )
