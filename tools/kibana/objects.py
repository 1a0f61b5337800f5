"""What an operator finds in Kibana: where the logs are, what one searches for, and one page to look at."""

from __future__ import annotations

from tools.kibana.parts import Measure, Object, Panel, chart, dashboard, data_view, search

PATTERN = "logs-ai_assistant.*-*"
# An answer that took the model longer than this, in nanoseconds, is a slow one.
SLOW_NANOSECONDS = 10_000_000_000
FAILED_LOGINS = "event.category : authentication and event.outcome : failure"
# What the assistant refuses is answered by nginx, too: counted there, it is counted once.
REFUSED = "data_stream.dataset : ai_assistant.nginx and http.response.status_code >= 400"
ERRORS = "log.level : (error or critical or alert or emergency) or event.action : request-failed"
ANSWERED = "data_stream.dataset : ai_assistant.app and event.action : message-answered"
SLOW = f"{ANSWERED} and event.duration >= {SLOW_NANOSECONDS}"
BANS = "data_stream.dataset : ai_assistant.fail2ban and event.action : ban"
BLOCKED = "data_stream.dataset : ai_assistant.ufw and event.action : block"
SUDO = "data_stream.dataset : ai_assistant.auth and process.name : sudo and process.command_line : *"


def _searches() -> dict[str, Object]:
    made = [
        search(
            "ai-assistant-failed-logins",
            ("Failed logins", "登录失败"),
            (
                "SSH, sudo, su, login: who tried, as whom, from where. fail2ban bans an address after five.",
                "SSH、sudo、su 与控制台：谁以何身份、从何处尝试登录。同一地址失败五次后由 fail2ban 封禁。",
            ),
            FAILED_LOGINS,
            ["source.ip", "user.name", "process.name", "host.name", "message"],
        ),
        search(
            "ai-assistant-errors",
            ("Errors by correlation id", "按关联 ID 查看错误"),
            (
                "Every error of every part. Point at a trace.id and filter for it, then remove this search's"
                " query: what is left is the whole way of that message.",
                "所有组件的错误。点选某个 trace.id 进行过滤，再清除本查询，即可看到该消息的完整过程。",
            ),
            ERRORS,
            ["trace.id", "data_stream.dataset", "log.level", "error.type", "message", "host.name"],
        ),
        search(
            "ai-assistant-slow-answers",
            ("Slow answers", "慢回答"),
            (
                "Answers for which the model took ten seconds or more, with their tokens.",
                "模型耗时达到或超过 10 秒的回答及其 token 数。",
            ),
            SLOW,
            [
                "event.duration",
                "trace.id",
                "assistant.platform",
                "assistant.prompt_tokens",
                "assistant.completion_tokens",
                "assistant.finish_reason",
                "host.name",
            ],
        ),
        search(
            "ai-assistant-message",
            ("One message's way", "一条消息的全过程"),
            (
                "From nginx to the reply, in order of time. Put the correlation id in place of the star, or"
                " its first eight digits and a star: the reference that people are told.",
                "从 nginx 到回复，按时间排列。将星号替换为关联 ID，或其前八位加星号（即告知用户的参考号）。",
            ),
            "trace.id : *",
            [
                "trace.id",
                "data_stream.dataset",
                "event.action",
                "event.outcome",
                "event.duration",
                "assistant.platform",
                "http.response.status_code",
                "message",
            ],
            newest_first=False,
        ),
        search(
            "ai-assistant-sudo",
            ("sudo commands", "sudo 命令"),
            ("What was run as another user, and by whom.", "谁以其他用户身份执行了什么命令。"),
            SUDO,
            ["user.name", "user.effective.name", "process.command_line", "event.outcome", "host.name"],
        ),
    ]
    return {one["id"]: one for one in made}


def _charts() -> dict[str, Object]:
    percentiles = [Measure(f"p{share}", "event.duration", share) for share in (50, 95, 99)]
    made = [
        chart(
            "ai-assistant-chart-failed-logins",
            ("Failed logins by source", "各来源的登录失败"),
            ("Failed logins, by the address they came from.", "按来源地址统计的登录失败次数。"),
            FAILED_LOGINS,
            split=("source.ip", "ip"),
        ),
        chart(
            "ai-assistant-chart-refused",
            ("Refused requests", "被拒绝的请求"),
            (
                "Requests that nginx or the assistant answered with a 4xx or 5xx, by that status.",
                "nginx 或助手以 4xx、5xx 状态码答复的请求。",
            ),
            REFUSED,
            split=("http.response.status_code", "number"),
        ),
        chart(
            "ai-assistant-chart-errors",
            ("Errors", "错误"),
            ("Lines of level error and above, by what wrote them.", "error 及以上级别的日志，按来源划分。"),
            ERRORS,
            split=("data_stream.dataset", "string"),
        ),
        chart(
            "ai-assistant-chart-answers",
            ("Duration of answers", "回答耗时"),
            (
                "How long the model took: half, 95 % and 99 % of the answers were quicker.",
                "模型耗时：50%、95%、99% 的回答快于此值。",
            ),
            ANSWERED,
            measures=percentiles,
            series="line",
        ),
        chart(
            "ai-assistant-chart-bans",
            ("Bans", "封禁"),
            ("Addresses that fail2ban shut out.", "被 fail2ban 封禁的地址。"),
            BANS,
            split=("source.ip", "ip"),
        ),
        chart(
            "ai-assistant-chart-blocked",
            ("Blocked connections", "被拦截的连接"),
            (
                "What the firewall refused, by the port that was asked for.",
                "防火墙拒绝的连接，按目标端口划分。",
            ),
            BLOCKED,
            split=("destination.port", "number"),
        ),
    ]
    return {one["id"]: one for one in made}


def objects() -> list[Object]:
    """Return all objects, each after those that it refers to."""
    view = data_view(
        PATTERN,
        "AI assistant's logs 助手日志",
        {
            "event.duration": {
                "id": "duration",
                "params": {"inputFormat": "nanoseconds", "outputFormat": "asSeconds", "outputPrecision": 2},
            }
        },
    )
    searches, charts = _searches(), _charts()
    panels = [Panel(one) for one in charts.values()]
    panels += [
        Panel(searches["ai-assistant-sudo"], width=48, height=14),
        Panel(searches["ai-assistant-errors"], width=48, height=14),
    ]
    page = dashboard(
        "ai-assistant-logs-dashboard",
        ("AI assistant: logs", "AI 助手：日志"),
        (
            "Who tried to get in, what was refused, what failed and how long answers took, on all hosts.",
            "所有主机上的入侵尝试、被拒请求、故障以及回答耗时。",
        ),
        panels,
        "now-24h",
    )
    return [view, *searches.values(), *charts.values(), page]
