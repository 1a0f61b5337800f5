"""Chat templates of the families that people use: written out by hand what the model must be given."""

from typing import Any

import jinja2.sandbox
import pytest

from assistant.inference.template import Template
from assistant.messages import Turn

# Written after the templates that the families publish, with what plain conversations use of them.
CHATML = (
    "{% for message in messages %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# Qwen 2.5 puts a system turn of its own where there is none.
QWEN = (
    "{%- if messages[0]['role'] == 'system' %}\n"
    "    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}\n"
    "{%- else %}\n"
    "    {{- '<|im_start|>system\\nYou are Qwen.<|im_end|>\\n' }}\n"
    "{%- endif %}\n"
    "{%- for message in messages %}\n"
    '    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or '
    '(message.role == "assistant" and not message.tool_calls) %}\n'
    "        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}\n"
    "    {%- endif %}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n"
    "    {{- '<|im_start|>assistant\\n' }}\n"
    "{%- endif %}\n"
)
# Qwen 2 does the same in one expression.
QWEN2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# Qwen 3 leaves the thoughts of earlier answers out. Shortened: neither tools nor newer thoughts.
QWEN3 = (
    "{%- if messages[0].role == 'system' %}\n"
    "    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}\n"
    "{%- endif %}\n"
    "{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}\n"
    "{%- for message in messages[::-1] %}\n"
    "    {%- set index = (messages|length - 1) - loop.index0 %}\n"
    "    {%- if ns.multi_step_tool and message.role == 'user' %}\n"
    "        {%- set ns.multi_step_tool = false %}\n"
    "        {%- set ns.last_query_index = index %}\n"
    "    {%- endif %}\n"
    "{%- endfor %}\n"
    "{%- for message in messages %}\n"
    "    {%- set content = message.content %}\n"
    "    {%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}\n"
    "        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}\n"
    "    {%- elif message.role == 'assistant' %}\n"
    "        {%- if '</think>' in content %}\n"
    "            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}\n"
    "        {%- endif %}\n"
    "        {{- '<|im_start|>assistant\\n' + content + '<|im_end|>\\n' }}\n"
    "    {%- endif %}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n"
    "    {{- '<|im_start|>assistant\\n' }}\n"
    "    {%- if enable_thinking is defined and enable_thinking is false %}\n"
    "        {{- '<think>\\n\\n</think>\\n\\n' }}\n"
    "    {%- endif %}\n"
    "{%- endif %}\n"
)
LLAMA3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = "
    "'<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + "
    "'<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
    "{% endif %}"
)
# Gemma knows no system turn and insists on alternating turns.
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant') }}{% endif %}"
    "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}"
    "{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)
GLM4 = (
    "[gMASK]<sop>{% for item in messages %}{% if item['content'] %}<|{{ item['role'] }}|>\n"
    "{{ item['content'] }}{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)

TURNS = [
    Turn("system", "Be brief."),
    Turn("user", "Hello"),
    Turn("assistant", "Hi!"),
    Turn("user", "你好"),
]
IM = (
    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
    "<|im_start|>assistant\nHi!<|im_end|>\n<|im_start|>user\n你好<|im_end|>\n<|im_start|>assistant\n"
)


def golden() -> dict[str, tuple[str, str, str]]:
    """Family -> template, its first token, the prompt for TURNS."""
    header = "<|start_header_id|>{}<|end_header_id|>\n\n"
    return {
        "none": ("", "", IM),
        "chatml": (CHATML, "", IM),
        "qwen2": (QWEN2, "", IM),
        "qwen2.5": (QWEN, "", IM),
        "qwen3": (QWEN3, "", IM),
        "llama3": (
            LLAMA3,
            "<|begin_of_text|>",
            "<|begin_of_text|>"
            + "".join(header.format(t.role) + t.content + "<|eot_id|>" for t in TURNS)
            + header.format("assistant"),
        ),
        "gemma": (
            GEMMA,
            "<bos>",
            "<bos><start_of_turn>user\nBe brief.\n\nHello<end_of_turn>\n"
            "<start_of_turn>model\nHi!<end_of_turn>\n"
            "<start_of_turn>user\n你好<end_of_turn>\n<start_of_turn>model\n",
        ),
        "glm4": (
            GLM4,
            "",
            "[gMASK]<sop><|system|>\nBe brief.<|user|>\nHello<|assistant|>\nHi!<|user|>\n你好<|assistant|>\n",
        ),
    }


@pytest.mark.parametrize("family", golden())
def test_prompt(family: str) -> None:
    text, bos, expected = golden()[family]
    template = Template(text, bos=bos, eos="</s>")
    prompt = template.render(TURNS)
    assert prompt == expected
    assert template.begins_with_bos(prompt) == bool(bos), "the first token must be there exactly once"


@pytest.mark.parametrize("family", golden())
def test_every_conversation_begins_alike(family: str) -> None:
    """What the engine shares between conversations: all before the newest words."""
    text, bos, _ = golden()[family]
    template = Template(text, bos=bos, eos="</s>")
    one, other = (template.render([TURNS[0], Turn("user", t)]) for t in ("Hello", "你好"))
    begin = one[: one.index("Hello")]
    assert other.startswith(begin)
    assert "Be brief." in begin


def plain_jinja(text: str, bos: str) -> str:
    """The rendering of the template itself, set up as transformers does (``apply_chat_template``)."""
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    messages = [{"role": t.role, "content": t.content} for t in TURNS]
    given: dict[str, Any] = {"bos_token": bos, "eos_token": "</s>", "add_generation_prompt": True}
    return environment.from_string(text).render(messages=messages, **given)


@pytest.mark.parametrize("family", sorted(set(golden()) - {"none", "gemma"}))
def test_prompt_is_what_the_template_itself_renders(family: str) -> None:
    """Gemma's refuses a system turn, and an empty one has no rendering of its own."""
    text, bos, expected = golden()[family]
    assert plain_jinja(text, bos) == expected


def test_thoughts_of_earlier_answers_are_left_out() -> None:
    turns = [TURNS[1], Turn("assistant", "<think>\nhm\n</think>\n\nHi!"), TURNS[3]]
    prompt = Template(QWEN3, bos="", eos="").render(turns)
    assert "think" not in prompt
    assert "<|im_start|>assistant\nHi!<|im_end|>" in prompt


def test_template_that_refuses_everything() -> None:
    template = Template("{{ raise_exception('no') }}", bos="", eos="")
    with pytest.raises(Exception, match="no"):
        template.render(TURNS)
