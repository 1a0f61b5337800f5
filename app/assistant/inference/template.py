"""A model's chat template: turns to text."""

from collections.abc import Sequence
from typing import Any

from assistant.inference.prompt import fold_system
from assistant.messages import Turn

# What models without a template are most often trained on.
FALLBACK_TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


class Template:
    """Renders turns as the model was trained to read them, up to where its answer begins."""

    def __init__(self, text: str, bos: str, eos: str) -> None:
        """Compile ``text`` (Jinja, from the GGUF file); ``bos`` and ``eos`` are the texts of those tokens."""
        # Imported here: importing it loads the native library too.
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        self._bos = bos
        self._formatter: Any = Jinja2ChatFormatter(
            template=text or FALLBACK_TEMPLATE, eos_token=eos, bos_token=bos
        )

    def render(self, turns: Sequence[Turn]) -> str:
        """Return ``turns`` as text; a template without a system turn finds it in the first user's turn.

        Raises:
            Exception: whatever the template raises.
        """
        try:
            return self._render(turns)
        except Exception:  # A template refuses with any exception it likes.
            return self._render(fold_system(turns))

    def begins_with_bos(self, text: str) -> bool:
        """Whether the template has written the first token itself, so that it must not be added."""
        return bool(self._bos) and text.startswith(self._bos)

    def _render(self, turns: Sequence[Turn]) -> str:
        messages = [{"role": t.role, "content": t.content} for t in turns]
        return str(self._formatter(messages=messages).prompt)
