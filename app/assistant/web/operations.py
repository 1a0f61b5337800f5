"""What each route takes and gives, in OpenAPI's words; ``openapi`` puts paths and methods to it.

The keys are Flask's endpoints. A test compares them with the routes, and schemathesis the words with what the
routes do (``make hostile``).
"""

from typing import Any

# Of an answer over the API: where it comes from (channels/api/known.py has the values).
CACHE_HEADER = "X-Cache"

Json = dict[str, Any]


def _json(schema: Json, description: str = "Done.") -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _body(schema: Json) -> Json:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _object(required: list[str], **properties: Json) -> Json:
    return {"type": "object", "required": required, "properties": properties}


def _refused(*statuses: int, schema: str = "Error") -> Json:
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {str(status): _json(reference, REASONS[status]) for status in statuses}


REASONS = {
    400: "The request is not what it should be.",
    401: "The signature, token or secret is missing or wrong.",
    403: "The access code is wrong, or another site's page asks.",
    404: "There is nothing of this name.",
    413: "The body is larger than ASSISTANT_MAX_BODY_BYTES.",
    415: "The body is not declared as application/json.",
    429: "Too much at once; Retry-After says when to try again.",
    503: "It is not ready or is being stopped, or the model could not answer.",
    504: "The model did not answer in time.",
}
TEXT, NUMBER, YES_OR_NO = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
BODY = (400, 413, 415)
MESSAGE_NUMBER = {"type": "string", "pattern": "^[A-Za-z0-9-]{8,64}$"}
# Of the API, what differs from OpenAI's: see docs/configure.md for what is not supported.
PART = _object(["type", "text"], type={"const": "text"}, text=TEXT)
CHAT_MESSAGE = _object(
    ["role", "content"],
    role={"enum": ["system", "developer", "user", "assistant"]},
    content={"anyOf": [TEXT, {"type": "array", "items": PART}]},
)
CHAT_REQUEST = _object(
    ["messages"],
    model={"description": "Any: there is one model."},
    user={
        "description": "A text that stands for one person: during a rollout the same model answers all calls."
    },
    messages={"type": "array", "minItems": 1, "maxItems": 200, "items": CHAT_MESSAGE},
    stream={"type": ["boolean", "null"]},
    max_tokens={"type": ["integer", "null"], "minimum": 1, "maximum": 2**31},
    temperature={"type": ["number", "null"], "minimum": 0, "maximum": 2},
    top_p={"type": ["number", "null"], "minimum": 0, "maximum": 1},
    seed={"type": ["integer", "null"], "minimum": -(2**31), "maximum": 2**31},
    stop={
        "anyOf": [
            {"type": "null"},
            {"type": "string", "minLength": 1, "maxLength": 128},
            {
                "type": "array",
                "maxItems": 4,
                "items": {"type": "string", "minLength": 1, "maxLength": 128},
            },
        ]
    },
)
CHAT_ANSWER = _object(
    ["id", "object", "created", "model", "choices", "usage"],
    id=TEXT,
    object={"const": "chat.completion"},
    created=NUMBER,
    model=TEXT,
    choices={"type": "array", "minItems": 1, "maxItems": 1, "items": {"type": "object"}},
    usage=_object(
        ["prompt_tokens", "completion_tokens", "total_tokens"],
        prompt_tokens=NUMBER,
        completion_tokens=NUMBER,
        total_tokens=NUMBER,
    ),
)
EXCHANGE = _object(
    ["number", "id", "text", "reply"],
    number=NUMBER,
    id=TEXT,
    text=TEXT,
    reply={"type": ["string", "null"]},
)
HEALTH = _object(["status"], status=TEXT)
READINESS = _object(
    ["status", "parts"], status=TEXT, parts={"type": "object", "additionalProperties": YES_OR_NO}
)

COMPONENTS: Json = {
    "schemas": {
        "Error": _object(["error"], error=_object(["code", "message"], code=TEXT, message=TEXT)),
        "ApiError": _object(
            ["error"],
            error=_object(
                ["message", "type", "param", "code"],
                message=TEXT,
                type=TEXT,
                param={"type": ["string", "null"]},
                code={"type": ["string", "null"]},
            ),
        ),
    },
    "securitySchemes": {
        "apiToken": {"type": "http", "scheme": "bearer"},
        "telegramSecret": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Telegram-Bot-Api-Secret-Token",
            "description": "The secret_token of setWebhook.",
        },
        "feishuSignature": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Lark-Signature",
            "description": "Hexadecimal SHA-256 of X-Lark-Request-Timestamp, X-Lark-Request-Nonce, the app's "
            "Encrypt Key and the body.",
        },
        "access": {
            "type": "apiKey",
            "in": "cookie",
            "name": "access",
            "description": "Set by POST /chat/access; not needed where assistant_web_chat_access is open.",
        },
        "conversation": {
            "type": "apiKey",
            "in": "cookie",
            "name": "conversation",
            "description": "Set by the first message: 256 random bits that prove a conversation.",
        },
    },
}

CHAT_SECURITY: list[Json] = [{"access": []}, {"access": [], "conversation": []}]
# Path variables that need more than a name.
PARAMETERS: dict[str, Json] = {
    "number": {"name": "number", "in": "path", "required": True, "schema": MESSAGE_NUMBER}
}

OPERATIONS: dict[str, Json] = {
    "openapi.openapi": {
        "summary": "This document.",
        "responses": {"200": _json({"type": "object"})},
    },
    "health.healthz": {
        "summary": "Whether the process and its threads run.",
        "responses": {"200": _json(HEALTH), "503": _json(HEALTH, REASONS[503])},
    },
    "health.readyz": {
        "summary": "Whether model and database answer; not passed on by the proxy.",
        "responses": {"200": _json(READINESS), "503": _json(READINESS, REASONS[503])},
    },
    "health.metrics": {
        "summary": "Counters for Prometheus; not passed on by the proxy.",
        "responses": {"200": {"description": "Done.", "content": {"text/plain": {"schema": TEXT}}}},
    },
    "feishu.webhook": {
        "summary": "Feishu's events, encrypted and signed.",
        "security": [{"feishuSignature": []}],
        "requestBody": _body(_object(["encrypt"], encrypt={"type": "string", "description": "Base64."})),
        "responses": {
            "200": _json({"type": "object"}, "Kept; or the challenge, when the address is checked."),
            **_refused(401, *BODY),
        },
    },
    "telegram.webhook": {
        "summary": "Telegram's updates.",
        "security": [{"telegramSecret": []}],
        "requestBody": _body(
            _object(
                ["update_id"],
                update_id=NUMBER,
                message={"type": "object"},
                edited_message={"type": "object"},
                callback_query={"type": "object"},
            )
        ),
        "responses": {"200": _json(_object(["ok"], ok=YES_OR_NO), "Kept."), **_refused(401, *BODY, 503)},
    },
    "api.models": {
        "summary": "The one model, in OpenAI's shape.",
        "security": [{"apiToken": []}],
        "responses": {
            "200": _json(_object(["object", "data"], object={"const": "list"}, data={"type": "array"})),
            **_refused(401, schema="ApiError"),
        },
    },
    "api.completions": {
        "summary": "An answer, in OpenAI's shape; a stream of events with stream: true.",
        "security": [{"apiToken": []}],
        "requestBody": _body(CHAT_REQUEST),
        "responses": {
            "200": {
                "description": "The answer.",
                "headers": {
                    CACHE_HEADER: {
                        "description": "Where it comes from: an answer that was given before, an operator's, "
                        "the model (kept for the next ones), or the model without a look at what is known.",
                        "schema": {"type": "string", "enum": ["hit", "pinned", "miss", "bypass"]},
                    }
                },
                "content": {
                    "application/json": {"schema": CHAT_ANSWER},
                    "text/event-stream": {"schema": TEXT},
                },
            },
            **_refused(401, *BODY, 429, 503, 504, schema="ApiError"),
        },
    },
    "web_chat.page": {
        "summary": "The web chat's page.",
        "responses": {"200": {"description": "Done.", "content": {"text/html": {"schema": TEXT}}}},
    },
    "web_chat.static_file": {
        "summary": "A file of the page.",
        "responses": {"200": {"description": "Done.", "content": {"*/*": {}}}, **_refused(404)},
    },
    "web_chat.enter": {
        "summary": "Give the access code, and get the cookie that opens the rest of the web chat.",
        "requestBody": _body(_object(["code"], code=TEXT)),
        "responses": {
            "200": _json(_object(["welcome"], welcome=YES_OR_NO), "The code is right, or none is asked for."),
            **_refused(403, 429, *BODY),
        },
    },
    "web_chat.send": {
        "summary": "A message of the web chat; its answer is fetched or followed.",
        "security": CHAT_SECURITY,
        "requestBody": _body(
            _object(
                ["id", "text"],
                id=MESSAGE_NUMBER,
                text={"type": "string", "minLength": 1, "maxLength": 4000, "pattern": "\\S"},
                language={"enum": ["en", "zh", ""]},
            )
        ),
        "responses": {
            "202": _json(_object(["accepted"], accepted=YES_OR_NO), "Kept."),
            **_refused(401, 403, 429, *BODY),
        },
    },
    "web_chat.read": {
        "summary": "The newest 100 messages of the conversation, with their replies.",
        "security": CHAT_SECURITY,
        "parameters": [
            {
                "name": "after",
                "in": "query",
                "description": "Only messages whose number is above this.",
                "schema": {"type": "integer", "minimum": 0, "maximum": 2**53},
            }
        ],
        "responses": {
            "200": _json(_object(["messages"], messages={"type": "array", "items": EXCHANGE})),
            **_refused(400, 401),
        },
    },
    "web_chat.follow": {
        "summary": "An answer while it is made: one JSON object a line.",
        "security": CHAT_SECURITY,
        "responses": {
            "200": {"description": "Done.", "content": {"application/x-ndjson": {"schema": TEXT}}},
            **_refused(400, 401, 404, 503),
        },
    },
    "web_chat.rate": {
        "summary": "Whether an answer was good (1) or bad (-1).",
        "security": CHAT_SECURITY,
        "requestBody": _body(_object(["id", "score"], id=MESSAGE_NUMBER, score={"enum": [1, -1]})),
        "responses": {
            "200": _json(_object(["rated"], rated=YES_OR_NO)),
            **_refused(401, 403, 404, *BODY),
        },
    },
    "web_chat.forget": {
        "summary": "Let the browser begin a new conversation.",
        "security": CHAT_SECURITY,
        "responses": {"200": _json(_object(["forgotten"], forgotten=YES_OR_NO)), **_refused(401, 403)},
    },
}
