"""Prompts that published chat templates render: ``python -m tests.golden.chat_prompts FILE``.

FILE is packages/ollama-utils/src/chat-template-automap.ts of https://github.com/huggingface/huggingface.js:
the templates in the metadata of GGUF files that people use. They belong to the models' makers and are not
kept here; ``chat_prompts.json`` keeps what they render, with the SHA-256 of each and the commit of FILE.

``--check`` compares that with the file there is, and renders every template with the assistant's own
``Template``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
import jinja2.ext
import jinja2.sandbox

from assistant.inference.template import Template
from assistant.messages import Turn

SOURCE = "https://github.com/huggingface/huggingface.js"
PATH = "packages/ollama-utils/src/chat-template-automap.ts"
COMMIT = "fe42e68017ffc76d09922ea8f9b38a6964345710"
GOLDEN = Path(__file__).with_suffix(".json")
# Family -> the file's name for it, and the text of its first token (empty where it has none).
FAMILIES = {
    "glm4": ("library/glm4:9b", ""),
    "qwen2": ("library/qwen2:0.5b", ""),
    "qwen2.5": ("library/qwen2.5:0.5b", ""),
    "qwen3": ("library/qwen3:0.6b", ""),
    "llama3": ("library/llama3:8b", "<|begin_of_text|>"),
    "llama3.1": ("library/llama3.1:8b", "<|begin_of_text|>"),
    "chatml": ("library/llava:34b", ""),
    "gemma2": ("library/gemma2:2b", "<bos>"),
    "gemma3": ("library/gemma3:1b", "<bos>"),
    "gemma3-270m": ("library/gemma3:270m", "<bos>"),
}
EOS = "</s>"
_SYSTEM = ("system", "Be brief.")
CONVERSATIONS: dict[str, list[tuple[str, str]]] = {
    "system and user": [_SYSTEM, ("user", "Hello")],
    "user alone": [("user", "Hello")],
    "several turns": [_SYSTEM, ("user", "Hello"), ("assistant", "Hi!"), ("user", "How are you?")],
    "several turns, no system": [("user", "Hello"), ("assistant", "Hi!"), ("user", "How are you?")],
    "Chinese": [
        ("system", "请简短作答。"),
        ("user", "你好"),
        ("assistant", "您好！"),
        ("user", "天气怎么样？🌧"),
    ],
    "lines and spaces": [
        _SYSTEM,
        ("user", "one\n\n  two"),
        ("assistant", "1\n2"),
        ("user", "{{ three }} %}"),
    ],
    "thoughts": [("user", "Hello"), ("assistant", "<think>\nhm\n</think>\n\nHi!"), ("user", "Again")],
}
_ENTRY = re.compile(r'model: "([^"]+)",\s*gguf:\s*("(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\')')


def turns(conversation: str) -> list[Turn]:
    """Return a conversation of ``CONVERSATIONS``."""
    return [Turn(role, content) for role, content in CONVERSATIONS[conversation]]


def folded(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the system's words before the first user's, for templates that refuse a system turn."""
    first = {"role": "user", "content": f"{messages[0]['content']}\n\n{messages[1]['content']}"}
    return [first, *messages[2:]]


def plain(template: str, bos: str, messages: list[dict[str, Any]]) -> str:
    """Render ``template`` with jinja2 alone, set up as transformers does (utils/chat_template_utils.py)."""

    def refuse(message: str) -> None:
        raise jinja2.TemplateError(message)

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols]
    )
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    given: dict[str, Any] = {"bos_token": bos, "eos_token": EOS, "add_generation_prompt": True, "tools": None}
    return environment.from_string(template).render(messages=messages, **given)


def expected(template: str, bos: str, conversation: str) -> dict[str, Any]:
    """Return the prompt, and whether the template takes a system turn."""
    messages: list[dict[str, Any]] = [{"role": r, "content": c} for r, c in CONVERSATIONS[conversation]]
    try:
        return {"prompt": plain(template, bos, messages), "system": "as it is"}
    except jinja2.TemplateError:
        pass
    # Gemma 3 (1B) takes the system's words in the form of messages with several parts.
    parts = [{"role": m["role"], "content": [{"type": "text", "text": m["content"]}]} for m in messages]
    try:
        return {"prompt": plain(template, bos, parts), "system": "in parts"}
    except jinja2.TemplateError:
        return {"prompt": plain(template, bos, folded(messages)), "system": "refused"}


def read(path: Path) -> dict[str, str]:
    """Return the templates in FILE by their models' names."""
    found = {}
    for match in _ENTRY.finditer(path.read_text(encoding="utf-8")):
        quote, body = match[2][0], match[2][1:-1]
        body = body.replace("\\'", "'")
        if quote == "'":
            body = re.sub(r'(?<!\\)"', r"\"", body)
        found[match[1]] = body
    return {name: json.loads(f'"{found[name]}"', strict=False) for name, _ in FAMILIES.values()}


def made(templates: dict[str, str]) -> dict[str, Any]:
    """Return what ``chat_prompts.json`` holds."""
    families = {}
    for family, (name, bos) in FAMILIES.items():
        text = templates[name]
        families[family] = {
            "model": name,
            "template_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "bos": bos,
            "prompts": {conversation: expected(text, bos, conversation) for conversation in CONVERSATIONS},
        }
    return {"source": SOURCE, "path": PATH, "commit": COMMIT, "families": families}


def differences(templates: dict[str, str]) -> list[str]:
    """Return where the assistant's own rendering of the published templates is another."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    found = (
        [] if made(templates) == golden else ["chat_prompts.json is not what this file's templates render"]
    )
    for family, (name, bos) in FAMILIES.items():
        template = Template(templates[name], bos=bos, eos=EOS)
        for conversation, one in golden["families"][family]["prompts"].items():
            rendered = template.render(turns(conversation))
            if rendered != one["prompt"]:
                found.append(f"{family}, {conversation}: {rendered!r} is not {one['prompt']!r}")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Write chat_prompts.json, or compare; 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    templates = read(options.file)
    if not options.check:
        GOLDEN.write_text(json.dumps(made(templates), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    found = differences(templates)
    print("\n".join(found) or f"{len(FAMILIES) * len(CONVERSATIONS)} prompts are the templates' own")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
