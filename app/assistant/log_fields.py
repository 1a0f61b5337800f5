"""What a line of the log may hold: names of the Elastic Common Schema, and own ones under ``assistant``.

https://www.elastic.co/docs/reference/ecs/ecs-field-reference; docs/logs.md shows this table,
and a test compares.
"""

# On every line.
ALWAYS = {
    "@timestamp": "when, in UTC",
    "log.level": "debug, info, warning, error or critical",
    "message": "what happened, in words that never change",
    "ecs.version": "the version of the schema that ecs-logging writes",
    "log.logger": "the part that speaks",
    "service.name": "ai-assistant",
    "service.version": "the assistant's version",
    "event.dataset": "ai-assistant.app",
    "process.thread.name": "the thread: worker-0, send-feishu, ...",
}
# Where there is something to say.
SOMETIMES = {
    "trace.id": "the correlation id: the same from the request to the reply",
    "event.action": "what was done to a message, for searches and alerts (below)",
    "event.outcome": "success or failure, with event.action",
    "event.duration": "how long it took, in nanoseconds",
    "http.request.method": "of a refused request",
    "http.response.status_code": "of a refused request",
    "url.path": "the route of a refused request, its variable parts by name",
    "error.code": "a code for programs, of a refused request",
    "error.type": "the exception's type, never its text",
    "error.stack_trace": "the places that the exception passed through: file, line, function",
    "log.origin.file.name": "where a library spoke; what it said is left out",
    "log.origin.file.line": "its line",
}
# What ``Log`` is given under another name.
ECS_NAMES = {
    "duration": "event.duration",
    "method": "http.request.method",
    "status": "http.response.status_code",
    "route": "url.path",
    "code": "error.code",
}
OWN = "assistant"
# The own ones.
OWN_FIELDS = {
    "platform": "feishu, telegram, web_chat or api",
    "inbox_id": "the message's number in the database",
    "outbox_id": "the reply's",
    "kind": "what a message asks for: chat, known (perhaps from the answer cache), or a command",
    "attempt": "which try of an answer failed",
    "cached": "whether the answer came from the answer cache",
    "prompt_tokens": "tokens of the question with its history",
    "completion_tokens": "tokens of the answer",
    "finish_reason": "why the answer ended: stop, length or cancelled",
    "parts": "how many messages a reply was sent in",
    "reason": "a kind of failure, or a platform's code for it",
    "in_seconds": "when sending is tried again",
    "next_try_in": "when the long connection is tried again, in seconds",
    "for_seconds": "how long a platform asked to wait",
    "seconds": "how long an endpoint is left alone, or until it is asked again",
    "score": "a rating: 1 or -1",
    "messages": "how many people were told that they wait",
    "deleted": "rows that were too old, by table",
    "text": "with `assistant_log_text` alone: the message or the answer, masked",
    "error": "an error's type, or what the model's endpoint says of it",
    "detail": "what llama.cpp says of an error",
    "arm": "which model an answer is by: stable or candidate",
    "rollout": "a rollout's number",
    "candidate": "the name of a rollout's new model",
    "state": "a rollout's state",
    "announcement": "what operators were told",
    "chats": "in how many chats they were told",
    "loop": "which background loop had a fault",
    "path": "which call of Feishu's interface failed",
    "step": "which step of registering with Telegram failed",
    "context_tokens": "the longest conversation that the model takes",
    "estimate": "tokens that a question was thought to have",
    "parameter": "a parameter that the endpoint does not take",
    "failures": "failures one after another of the endpoint",
    "listed": "the models that the endpoint lists",
    "model": "the model that the endpoint is asked for",
}
# The message of a line, its event.action and its event.outcome.
ACTIONS = {
    "received": ("message-received", "success"),
    "duplicate": ("message-repeated", "success"),
    "taken": ("message-taken", "success"),
    "answered": ("message-answered", "success"),
    "an answer failed": ("answer-failed", "failure"),
    "a message cannot be answered": ("answer-failed", "failure"),
    "the model is away": ("message-waits", "failure"),
    "a message was given up": ("message-given-up", "failure"),
    "a draft was opened": ("draft-opened", "success"),
    "a draft was changed": ("draft-changed", "success"),
    "no draft": ("draft-refused", "failure"),
    "sent": ("reply-sent", "success"),
    "sending failed and will be tried again": ("reply-delayed", "failure"),
    "fault while sending": ("reply-delayed", "failure"),
    "a reply was given up": ("reply-given-up", "failure"),
    "rated": ("answer-rated", "success"),
    "a rollout's step": ("rollout-step", "success"),
    "the stable model answers instead of the candidate": ("candidate-failed", "failure"),
    "the candidate's trial failed": ("candidate-failed", "failure"),
    "request refused": ("request-refused", "failure"),
    "fault while answering a request": ("request-failed", "failure"),
}
NANOSECONDS = 1_000_000_000


def named(event: str, fields: dict[str, object]) -> dict[str, object]:
    """Return the fields of a line under their names in the log.

    Args:
        event: the line's message.
        fields: what ``Log`` was given; ``duration`` in seconds.
    """
    found = {ECS_NAMES.get(name) or f"{OWN}.{name}": value for name, value in fields.items()}
    seconds = found.get("event.duration")
    if isinstance(seconds, int | float):
        found["event.duration"] = round(seconds * NANOSECONDS)
    if event in ACTIONS:
        found["event.action"], found["event.outcome"] = ACTIONS[event]
    return found
