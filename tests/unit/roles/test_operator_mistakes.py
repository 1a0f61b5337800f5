from __future__ import annotations

import base64
import json
from typing import Any

from tests.unit.app.model_files import write_model
from tests.unit.roles.refusals import Judge, Refusals

# What an operator may get wrong, and the words that must lead him out of it: variable, file, example.
GIVEN = {
    "model_source": "",
    "model_file": "model.gguf",
    "assistant_model_file": "model.gguf",
    "assistant_api_token": "token",
    "assistant_web_chat_access_code": "0123456789abcdef",
    "proxy_domain": "assistant.example.org",
    "proxy_tls_mode": "self_signed",
}
VAULT, MAIN = "vault.yml", "main.yml"
KEYS = [base64.b64encode(bytes([n]) * 32).decode() for n in (1, 255)]
FEISHU = {
    "assistant_feishu_enabled": True,
    "assistant_feishu_app_id": "cli_a1",
    "assistant_feishu_app_secret": "secret",
    "assistant_feishu_encrypt_key": "key",
    "assistant_feishu_verification_token": "token",
}
MISTAKES: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "empty api token": ("assistant", {"assistant_api_token": ""}, ["vault_api_token", VAULT, "example"]),
    "undefined vault value": (
        "assistant",
        {"assistant_api_token": "{{ vault_api_token }}"},
        ["vault_api_token", VAULT, "example"],
    ),
    "web chat without a code": (
        "assistant",
        {"assistant_web_chat_access_code": "{{ vault_web_chat_access_code }}"},
        ["vault_web_chat_access_code", VAULT, "example", "assistant_web_chat_access: open"],
    ),
    "web chat with a code that can be guessed": (
        "assistant",
        {"assistant_web_chat_access_code": "1234567"},
        ["vault_web_chat_access_code", VAULT, "8 characters", "openssl rand -hex 8"],
    ),
    "web chat with an unknown access": (
        "assistant",
        {"assistant_web_chat_access": "public"},
        ["assistant_web_chat_access", "code", "open", MAIN],
    ),
    "feishu without secrets": (
        "assistant",
        {"assistant_feishu_enabled": True, "assistant_feishu_app_id": "cli_a1"},
        ["vault_feishu_app_secret", "vault_feishu_encrypt_key", "vault_feishu_verification_token", VAULT],
    ),
    "plain feishu events with an encrypt key": (
        "assistant",
        {**FEISHU, "assistant_feishu_plain_events": True},
        ["assistant_feishu_plain_events", "vault_feishu_encrypt_key", VAULT, MAIN],
    ),
    "plain feishu events that a gateway signs": (
        "assistant",
        {
            **FEISHU,
            "assistant_feishu_encrypt_key": "",
            "assistant_feishu_plain_events": True,
            "assistant_feishu_signature_scheme": "hmac-sha256",
        },
        ["assistant_feishu_plain_events", "assistant_feishu_signature_scheme", MAIN],
    ),
    "feishu events of an hour at most": (
        "assistant",
        {**FEISHU, "assistant_feishu_max_age_seconds": 3600},
        ["assistant_feishu_max_age_seconds", "28800", "example 86400", MAIN],
    ),
    "feishu by polling": (
        "assistant",
        {**FEISHU, "assistant_feishu_mode": "polling"},
        ["assistant_feishu_mode", "long_connection", MAIN],
    ),
    "telegram without a public address": (
        "assistant",
        {
            "assistant_telegram_enabled": True,
            "assistant_telegram_bot_token": "1:a",
            "assistant_telegram_secret_token": "b",
        },
        ["assistant_public_url", MAIN, "example"],
    ),
    "memory in words": (
        "assistant",
        {"assistant_memory_limit": "3 GB"},
        ["assistant_memory_limit", "3g", MAIN],
    ),
    "messages kept for one day": (
        "assistant",
        {"assistant_retention_days": 1},
        ["assistant_retention_days", "from 2", "example 90", MAIN],
    ),
    "answers kept for a month": (
        "assistant",
        {"assistant_answer_cache_seconds": 2592000},
        ["assistant_answer_cache_seconds", "604800", "3600", MAIN],
    ),
    "no room for answers": (
        "assistant",
        {"assistant_answer_cache_bytes": 1000},
        ["assistant_answer_cache_bytes (1000)", "65536", "16777216", MAIN],
    ),
    "cached answers for some API calls": (
        "assistant",
        {"assistant_answer_cache_api": "some"},
        ["assistant_answer_cache_api", "off, deterministic or all", MAIN],
    ),
    "a pinned answer without words": (
        "assistant",
        {"assistant_pinned_answers": [{"questions": ["q"], "answer": "a"}, {"questions": ["r"]}]},
        ["assistant_pinned_answers", "entry 2", "no answer", "answer_en", MAIN],
    ),
    "a question that is pinned twice": (
        "assistant",
        {"assistant_pinned_answers": [{"questions": ["Hello", "hello!"], "answer": "a"}]},
        ["assistant_pinned_answers", "'hello!'", "entry 1", "remove one", MAIN],
    ),
    "a negative limit": (
        "assistant",
        {"assistant_messages_per_minute": -1},
        ["assistant_messages_per_minute (-1)", "examples: 24, 30, 500, 20", MAIN],
    ),
    "a name instead of an id on Feishu": (
        "assistant",
        {"assistant_feishu_allowed": ["ou_1a2b", "Zhang San"]},
        ["assistant_feishu_allowed", "Zhang San", "ou_...", MAIN],
    ),
    "a name instead of a number on Telegram": (
        "assistant",
        {"assistant_telegram_admins": [482910375, "@somebody"]},
        ["assistant_telegram_admins", "@somebody", "482910375", MAIN],
    ),
    "model server without a scheme": (
        "assistant",
        {"assistant_backend_url": "models.example.org/v1"},
        ["assistant_backend_url", "https://models.example.org/v1", MAIN],
    ),
    "model server in the container itself": (
        "assistant",
        {"assistant_backend_url": "http://127.0.0.1:11434/v1"},
        ["assistant_backend_url", "container", "http://10.0.0.5:8000/v1", MAIN],
    ),
    "key of the model server with a space": (
        "assistant",
        {"assistant_backend_url": "http://10.0.0.5:8000", "assistant_backend_api_key": "Bearer sk-1"},
        ["vault_backend_api_key", VAULT, "example"],
    ),
    "encryption key that is a word": (
        "assistant",
        {"assistant_database_encryption_key": "plain\npassword"},
        ["vault_database_encryption_key", VAULT, "base64", "openssl rand -base64 32"],
    ),
    "no model file and no model server": (
        "assistant",
        {"assistant_model_file": ""},
        ["assistant_model_file", "model_file", MAIN],
    ),
    "no wheelhouse": (
        "assistant",
        {"assistant_wheelhouse": "/srv/no"},
        ["assistant_wheelhouse", MAIN, "example"],
    ),
    "more tokens than context": (
        "assistant",
        {"assistant_max_tokens": 4096},
        ["assistant_max_tokens", "256", MAIN],
    ),
    "no model": ("model", {}, ["model_source", "model.gguf", MAIN, "example"]),
    "model is not there": (
        "model",
        {"model_source": "/srv/no.gguf"},
        ["model_source", "/srv/no.gguf", MAIN, "example"],
    ),
    "model is no GGUF file": (
        "model",
        {"model_source": "{FOLDER}/text.gguf"},
        ["model_source", "GGUF", MAIN, "example"],
    ),
    "model that is cut off": (
        "model",
        {"model_source": "{FOLDER}/cut.gguf"},
        ["model_source", "cut off", "bytes", MAIN, "example"],
    ),
    "model of another kind": (
        "model",
        {"model_source": "{FOLDER}/bert.gguf"},
        ["model_source", "'bert'", "left to right", MAIN, "example"],
    ),
    "model too large for the memory": (
        "model",
        {"model_source": "{FOLDER}/good.gguf", "model_memory_limit": "100m"},
        [
            "does not fit",
            "MiB",
            "assistant_context_tokens",
            "assistant_parallel",
            "assistant_memory_limit",
            MAIN,
        ],
    ),
    "version with the name of the link": (
        "model",
        {"model_source": "{FOLDER}/good.gguf", "model_file": "current.gguf"},
        ["model_file", "link", MAIN, "example"],
    ),
    "quantized into its own name": (
        "model",
        {"model_source": "{FOLDER}/good.gguf", "model_quantize": "controller", "model_file": "good.gguf"},
        ["model_quantize", "model_file", MAIN, "example"],
    ),
    "quantized to an unknown type": (
        "model",
        {"model_source": "{FOLDER}/good.gguf", "model_quantize": "target", "model_quantize_type": "Q4"},
        ["model_quantize_type", "Q4_K_M", MAIN],
    ),
    "model with another checksum": (
        "model",
        {"model_source": "{FOLDER}/good.gguf", "model_sha256": "0" * 64},
        ["model_sha256", "damaged", MAIN],
    ),
    "model address without a checksum": (
        "model",
        {"model_source": "https://models.example.org/a.gguf"},
        ["model_sha256", "sha256sum", MAIN],
    ),
    "empty domain": ("proxy", {"proxy_domain": ""}, ["proxy_domain is empty", MAIN, "example"]),
    "domain with a scheme": (
        "proxy",
        {"proxy_domain": "https://a.example"},
        ["proxy_domain", MAIN, "example"],
    ),
    "unknown TLS mode": ("proxy", {"proxy_tls_mode": "letsencypt"}, ["proxy_tls_mode", "letsencrypt", MAIN]),
    "letsencrypt without an address": (
        "proxy",
        {"proxy_tls_mode": "letsencrypt"},
        ["proxy_acme_email", "ops@example.org", MAIN],
    ),
    "letsencrypt for an IP address": (
        "proxy",
        {"proxy_tls_mode": "letsencrypt", "proxy_acme_email": "a@b.example", "proxy_domain": "203.0.113.7"},
        ["public DNS names", "proxy_domain", MAIN],
    ),
    "manual without files": (
        "proxy",
        {"proxy_tls_mode": "manual"},
        ["proxy_tls_certificate", "proxy_tls_key", MAIN],
    ),
    "a file in whose place another was promoted": (
        "model",
        {"model_source": "", "model_directory": "{FOLDER}/promoted", "model_file": "old.gguf"},
        ["old.gguf", "model_file: new.gguf", 'model_source: ""', "rollback=true", "2026-11-27", MAIN],
    ),
    "a file in whose place two were promoted, one after the other": (
        "model",
        {"model_source": "", "model_directory": "{FOLDER}/promoted", "model_file": "older.gguf"},
        ["older.gguf", "model_file: new.gguf", MAIN],
    ),
    "a share above one": ("rollout", {"rollout_share": 10}, ["rollout_share", "0.1", MAIN]),
    "a rollout that ends before it may": (
        "rollout",
        {"rollout_hours": 200},
        ["rollout_hours", "rollout_max_hours", "168", MAIN],
    ),
    "a rollout's rule that has a variable": (
        "rollout",
        {"rollout_settings": {"load_seconds": 30}},
        ["rollout_settings", "rollout_load_timeout", MAIN],
    ),
    "a rollout's rule that is no number": (
        "rollout",
        {"rollout_settings": {"latency_factor": "fast"}},
        ["rollout_settings", "latency_factor: 1.5", MAIN],
    ),
    "a candidate's memory in words": (
        "rollout",
        {"rollout_memory_limit": "3 GB"},
        ["rollout_memory_limit", "3g", MAIN],
    ),
    "port out of range": ("proxy", {"proxy_https_port": 99999}, ["proxy_https_port", "443", MAIN]),
    "packages as a string": (
        "docker",
        {"docker_packages": "docker.io"},
        ["docker_packages", MAIN, "example"],
    ),
}


MODEL = {"model_source": "{FOLDER}/good.gguf"}
PROMOTED = {"model_source": "", "model_directory": "{FOLDER}/promoted"}
GOOD: dict[str, tuple[str, dict[str, Any]]] = {
    **{role: (role, MODEL) for role in ("docker", "model", "assistant", "proxy", "rollout")},
    "what was promoted": ("model", {**PROMOTED, "model_file": "new.gguf"}),
    "what is new": ("model", {**PROMOTED, "model_file": "next.gguf"}),
    "another model server needs no model file, and keys may be several": (
        "assistant",
        {
            "assistant_backend_url": "https://models.example.org/v1",
            "assistant_model_file": "",
            # No channel needs keys either: these are of the right form, and two.
            "assistant_database_encryption_key": f"plain\n{KEYS[0]}\n{KEYS[1]}\n",
        },
    ),
    "plain feishu events": (
        "assistant",
        {**FEISHU, "assistant_feishu_encrypt_key": "", "assistant_feishu_plain_events": True},
    ),
    "feishu over a long connection": (
        "assistant",
        {
            **FEISHU,
            "assistant_feishu_mode": "long_connection",
            "assistant_feishu_encrypt_key": "",
            "assistant_feishu_verification_token": "",
        },
    ),
    "feishu through a gateway": (
        "assistant",
        {
            **FEISHU,
            "assistant_feishu_signature_scheme": "hmac-sha256",
            "assistant_feishu_max_age_seconds": 28800,
        },
    ),
}


class TestMistakes(Refusals, good=GOOD, mistakes=MISTAKES, given=GIVEN):
    """The mistakes in all of these roles, with models of all kinds."""

    @classmethod
    def prepare(cls, judge: Judge) -> None:
        folder = judge.folder
        (folder / "text.gguf").write_text("a text\n")
        write_model(folder / "good.gguf")
        (folder / "cut.gguf").write_bytes((folder / "good.gguf").read_bytes()[:-9])
        write_model(folder / "bert.gguf", "bert")
        promoted = folder / "promoted"
        promoted.mkdir()
        for name in ("older", "old", "new", "next"):
            write_model(promoted / f"{name}.gguf")
        (promoted / "current.gguf").symlink_to("new.gguf")
        noted = {"current": "new.gguf", "over": "old.gguf", "earlier": ["older.gguf"], "at": 1795741200}
        (promoted / ".promoted.json").write_text(json.dumps(noted))
