"""Chat templates of the families that people use: the prompts are those of the published templates.

The templates here are shortened to what plain conversations use of them; that they render what the published
ones do is what ``tests/golden/chat_prompts.json`` is for.
"""

import json

import jinja2
import pytest

from assistant.inference.template import Template
from assistant.messages import Turn
from tests.golden.chat_prompts import CONVERSATIONS, EOS, GOLDEN, plain, turns

FAMILIES = json.loads(GOLDEN.read_text(encoding="utf-8"))["families"]
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
    "    {{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.' }}\n"
    "    {{- '<|im_end|>\\n' }}\n"
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
# Llama 3.1 always has a system turn, with its dates in it.
LLAMA31 = (
    "{{- bos_token }}{%- if messages[0]['role'] == 'system' %}"
    "{%- set system = messages[0]['content']|trim %}{%- set messages = messages[1:] %}"
    "{%- else %}{%- set system = '' %}{%- endif %}"
    "{{- '<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n' }}"
    "{{- 'Today Date: 26 Jul 2024\n\n' + system + '<|eot_id|>' }}"
    "{%- for m in messages %}{{- '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n'"
    " + m['content'] | trim + '<|eot_id|>' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"
)
# Gemma 3 (1B) takes a system turn whose content has parts, and trips over one that is a text.
GEMMA3 = (
    "{{ bos_token }}{%- if messages[0]['role'] == 'system' -%}"
    "{%- set prefix = messages[0]['content'][0]['text'] + '\n\n' -%}{%- set messages = messages[1:] -%}"
    "{%- else -%}{%- set prefix = '' -%}{%- endif -%}{%- for m in messages -%}"
    "{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' }}"
    "{{ (prefix if loop.first else '') + m['content'] | trim + '<end_of_turn>\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<start_of_turn>model\n' }}{%- endif -%}"
)
GLM4 = (
    "[gMASK]<sop>{% for item in messages %}{% if item['content'] %}<|{{ item['role'] }}|>\n"
    "{{ item['content'] }}{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

TURNS = [
    Turn("system", "Be brief."),
    Turn("user", "Hello"),
    Turn("assistant", "Hi!"),
    Turn("user", "你好"),
]
TEMPLATES = {
    "glm4": GLM4,
    "qwen2": QWEN2,
    "qwen2.5": QWEN,
    "qwen3": QWEN3,
    "llama3": LLAMA3,
    "llama3.1": LLAMA31,
    "chatml": CHATML,
    "gemma2": GEMMA,
    "gemma3": GEMMA3,
}
# A file without a template is given ChatML's.
GIVEN = {**TEMPLATES, "none": ""}


@pytest.mark.parametrize("conversation", CONVERSATIONS)
@pytest.mark.parametrize("family", GIVEN)
def test_prompt_is_the_published_templates_own(family: str, conversation: str) -> None:
    known = FAMILIES["chatml" if family == "none" else family]
    template = Template(GIVEN[family], bos=known["bos"], eos=EOS)
    prompt = template.render(turns(conversation))
    assert prompt == known["prompts"][conversation]["prompt"]
    assert template.begins_with_bos(prompt) == bool(known["bos"]), "the first token must be there once"


@pytest.mark.parametrize("family", [f for f in TEMPLATES if not f.startswith("gemma")])
def test_the_shortened_template_is_a_faithful_one(family: str) -> None:
    for conversation, one in FAMILIES[family]["prompts"].items():
        messages = [{"role": role, "content": content} for role, content in CONVERSATIONS[conversation]]
        assert plain(TEMPLATES[family], FAMILIES[family]["bos"], messages) == one["prompt"]


def test_gemma_refuses_a_system_turn_and_finds_it_in_the_first_users() -> None:
    refused = {n for n, one in FAMILIES["gemma2"]["prompts"].items() if one["system"] == "refused"}
    assert refused == {n for n, c in CONVERSATIONS.items() if c[0][0] == "system"}
    for name in refused:
        with pytest.raises(jinja2.TemplateError, match="System role not supported"):
            plain(GEMMA, "<bos>", [{"role": r, "content": c} for r, c in CONVERSATIONS[name]])


@pytest.mark.parametrize("family", GIVEN)
def test_every_conversation_begins_alike(family: str) -> None:
    """What the engine shares between conversations: all before the newest words."""
    template = Template(GIVEN[family], bos="<bos>", eos=EOS)
    one, other = (template.render([TURNS[0], Turn("user", t)]) for t in ("Hello", "你好"))
    begin = one[: one.index("Hello")]
    assert other.startswith(begin)
    assert "Be brief." in begin


def test_thoughts_of_earlier_answers_are_left_out() -> None:
    turns = [TURNS[1], Turn("assistant", "<think>\nhm\n</think>\n\nHi!"), TURNS[3]]
    prompt = Template(QWEN3, bos="", eos="").render(turns)
    assert "think" not in prompt
    assert "<|im_start|>assistant\nHi!<|im_end|>" in prompt


def test_template_that_refuses_everything() -> None:
    template = Template("{{ raise_exception('no') }}", bos="", eos="")
    with pytest.raises(Exception, match="no"):
        template.render(TURNS)
