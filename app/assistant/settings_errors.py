"""What is said of a setting that is missing or wrong."""

EXAMPLES = {
    "MODEL_PATH": "/models/model.gguf",
    "ASSISTANT_BACKEND_URL": "http://10.0.0.5:8000/v1",
    "ASSISTANT_BACKEND_MODEL": "qwen2.5-7b-instruct",
    "ASSISTANT_DATABASE_URL": "sqlite:////var/lib/ai-assistant/assistant.db",
    "ASSISTANT_ROLLOUT_STATE_FILE": "/var/lib/ai-assistant/rollout.json",
    "ASSISTANT_PUBLIC_URL": "https://assistant.example.com",
    "ASSISTANT_FEISHU_ENABLED": "true",
    "ASSISTANT_FEISHU_APP_ID": "cli_a1b2c3d4e5f6",
    "ASSISTANT_FEISHU_BASE_URL": "https://open.feishu.cn",
    "ASSISTANT_FEISHU_SIGNATURE_SCHEME": "feishu",
    "ASSISTANT_FEISHU_MODE": "webhook",
    "ASSISTANT_FEISHU_PLAIN_EVENTS": "false",
    "ASSISTANT_FEISHU_MAX_AGE_SECONDS": "0",
    "ASSISTANT_TELEGRAM_ENABLED": "true",
    "ASSISTANT_TELEGRAM_MODE": "webhook",
    "ASSISTANT_TELEGRAM_BASE_URL": "https://api.telegram.org",
    "ASSISTANT_TELEGRAM_WEBHOOK_PATH": "/telegram/webhook",
    "ASSISTANT_WEB_CHAT_ENABLED": "true",
    "ASSISTANT_WEB_CHAT_ACCESS": "code",
    "ASSISTANT_API_ENABLED": "false",
    "ASSISTANT_CONTEXT_TOKENS": "2048",
    "ASSISTANT_MAX_TOKENS": "256",
    "ASSISTANT_TEMPERATURE": "0.7",
    "ASSISTANT_THREADS": "0",
    "ASSISTANT_PARALLEL": "8",
    "ASSISTANT_REPACK": "auto",
    "ASSISTANT_LOCK_MEMORY": "false",
    "ASSISTANT_LOG_LEVEL": "info",
    "ASSISTANT_LOG_TEXT": "false",
    "ASSISTANT_TRUSTED_PROXIES": "127.0.0.0/8,172.16.0.0/12",
    "ASSISTANT_MAX_BODY_BYTES": "1048576",
    "ASSISTANT_REQUEST_DEADLINE_SECONDS": "120",
    "ASSISTANT_RETENTION_DAYS": "90",
    "ASSISTANT_FEISHU_ALLOWED": "ou_1a2b3c,oc_4d5e6f",
    "ASSISTANT_FEISHU_ADMINS": "ou_1a2b3c",
    "ASSISTANT_TELEGRAM_ALLOWED": "482910375,-1001234567890",
    "ASSISTANT_TELEGRAM_ADMINS": "482910375",
    "ASSISTANT_OPERATORS_FEISHU_CHAT": "oc_4d5e6f",
    "ASSISTANT_OPERATORS_TELEGRAM_CHAT": "-1001234567890",
    "ASSISTANT_MESSAGES_PER_MINUTE": "30",
    "ASSISTANT_MESSAGES_PER_DAY": "500",
    "ASSISTANT_CONTEXT_HOURS": "24",
    "ASSISTANT_NOTICE_SECONDS": "20",
    "ASSISTANT_ANSWER_CACHE_SECONDS": "3600",
    "ASSISTANT_ANSWER_CACHE_ENTRIES": "1000",
    "ASSISTANT_ANSWER_CACHE_BYTES": "16777216",
    "ASSISTANT_ANSWER_CACHE_API": "deterministic",
    "ASSISTANT_EVALUATION_USES_CONVERSATIONS": "false",
    "ASSISTANT_PINNED_ANSWERS_FILE": "/etc/ai-assistant/answers/pinned.json",
    "ASSISTANT_SECRETS_DIR": "/run/secrets",
}


class SettingsError(Exception):
    """A setting is missing or wrong; the text is one line that names it and gives an example."""


def complete(name: str, problem: str) -> SettingsError:
    """Return the error that says of the setting ``name`` what is wrong, with an example."""
    example = EXAMPLES.get(name)
    return SettingsError(f"{name}: {problem}" + (f" (example: {name}={example})" if example else ""))
