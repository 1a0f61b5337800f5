"""One GGUF model: its words, its template, and the context that is made from it."""

import ctypes
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from assistant.inference.backend import RequestError
from assistant.inference.cache import common
from assistant.inference.context import Context
from assistant.inference.engine import PROMPT_TOKENS, Engine, Words
from assistant.inference.fit import cells_needed
from assistant.inference.host import usable_cores
from assistant.inference.loading import check_locked, judge, read_ahead
from assistant.inference.native import load_cpu_backends
from assistant.inference.prompt import DoesNotFit, fit, without_control_texts
from assistant.inference.sampling import sampler
from assistant.inference.template import Template
from assistant.logs import Log
from assistant.messages import Turn

log = Log(__name__)
# llama.h, enum llama_token_attr: LLAMA_TOKEN_ATTR_CONTROL.
CONTROL = 1 << 3
# ggml.h, enum ggml_log_level: GGML_LOG_LEVEL_ERROR.
ERROR = 4
# llama.cpp takes at most 256 sequences in one context (llama-cparams.h, LLAMA_MAX_SEQ); one is the system's.
MAX_SEQUENCES = 256
# How many conversations are remembered for each that is answered; a sequence without cells costs nothing.
REMEMBERED = 4
# How many tokens' texts are kept at hand.
KEPT_PIECES = 16384
# What llama.cpp reported last; the first lines of a failure say why, the later ones only that.
_reported: deque[str] = deque(maxlen=8)


class Model:
    """A loaded model. Decoding belongs to the thread that made it; splitting text into tokens to anyone."""

    def __init__(
        self,
        path: Path,
        *,
        context_tokens: int,
        threads: int,
        parallel: int,
        system: Sequence[Turn],
        repack: str = "auto",
        lock: bool = False,
    ) -> None:
        """Load ``path``, memory-mapped.

        Args:
            path: the GGUF file.
            context_tokens: the longest conversation; what the model was trained for, if that is less.
            threads: how many decode; 0 takes all cores.
            parallel: how many conversations are answered at once.
            system: the turns that stand before nearly every conversation.
            repack: whether weights are copied into the CPU's own layout; see ``loading.plan``.
            lock: keep the model from being swapped or dropped.

        Raises:
            ValueError: the model does not fit, cannot be locked, or llama.cpp cannot load the file.
        """
        read_ahead(path)
        # Imported here: importing it already loads the native library, which only this thread may do.
        import llama_cpp

        self._binding: Any = llama_cpp
        # Kept: llama.cpp calls it for as long as the process lives.
        self._on_log: Any = llama_cpp.llama_log_callback(_report)
        llama_cpp.llama_log_set(self._on_log, ctypes.c_void_p(0))
        load_cpu_backends(Path(llama_cpp.__file__).parent / "lib")
        llama_cpp.llama_backend_init()
        self._threads = threads or usable_cores()
        self._parallel, self._system = parallel, system
        self._context: Context | None = None
        chosen = judge(path, context_tokens=context_tokens, parallel=parallel, repack=repack, locked=lock)
        log.info(
            "weights are repacked" if chosen.repack else "weights are not repacked", reason=chosen.reason
        )
        parameters = llama_cpp.llama_model_default_params()
        parameters.use_extra_bufts = chosen.repack
        modes = llama_cpp.LLAMA_LOAD_MODE_MMAP, llama_cpp.LLAMA_LOAD_MODE_MMAP_MLOCK
        parameters.load_mode = modes[lock]
        _reported.clear()
        self._handle: Any = llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
        if not self._handle:
            raise ValueError(f"llama.cpp cannot load {path.name}: {_why()}")
        if lock:
            check_locked(path, Path("/proc/self/status").read_text(encoding="ascii"))
        self._vocabulary: Any = llama_cpp.llama_model_get_vocab(self._handle)
        trained = int(llama_cpp.llama_model_n_ctx_train(self._handle))
        self.context_tokens = min(context_tokens, trained) if trained > 0 else context_tokens
        self.controls = self._control_texts()
        self._buffer = ctypes.create_string_buffer(512)
        found = llama_cpp.llama_model_chat_template(self._handle, None)
        try:
            self._template = Template(
                found.decode("utf-8", "replace") if found else "",
                bos=self._name(llama_cpp.llama_vocab_bos(self._vocabulary)),
                eos=self._name(llama_cpp.llama_vocab_eos(self._vocabulary)),
            )
        except Exception as error:  # Jinja has many kinds, and its dependencies more.
            raise ValueError(
                f"{path.name}: the chat template (key tokenizer.chat_template) is damaged: {error}"
            ) from error

    def engine(self) -> Engine:
        """Make the context on this thread, read the system turns into it and return what decodes with it.

        Raises:
            MemoryError: the context does not fit into the memory.
            RequestError: the system turns do not fit into a conversation.
        """
        self.prompt([*self._system, Turn("user", "Hello")], 1)
        # Without system turns only the template's marks are common: not worth a pass over all weights.
        system = self._common_beginning() if self._system else []
        cells = cells_needed(self.context_tokens, self._parallel, len(system))
        sequences = min(self._parallel * REMEMBERED, MAX_SEQUENCES - 1)
        context = self._context = Context(
            self._binding,
            self._handle,
            cells=cells,
            sequences=sequences + 1,
            batch_tokens=PROMPT_TOKENS + self._parallel,
            threads=self._threads,
        )
        words = Words(
            # The same words come again and again.
            lru_cache(KEPT_PIECES)(self.piece),
            lru_cache(KEPT_PIECES)(self.is_end),
            lambda options: sampler(self._binding, context.handle, self._vocabulary, options),
            self.controls,
        )
        return Engine(context, words, system, parallel=self._parallel, sequences=sequences, cells=cells)

    def close(self) -> None:
        """Free the context and the model."""
        if self._context is not None:
            self._context.close()
        if self._handle:
            self._binding.llama_model_free(self._handle)
            self._handle = None

    def _name(self, token: int) -> str:
        if token < 0:
            return ""
        text = self._binding.llama_vocab_get_text(self._vocabulary, token)
        return text.decode("utf-8", "replace") if text else ""

    def _control_texts(self) -> list[str]:
        attribute, count = self._binding.llama_vocab_get_attr, self._binding.llama_vocab_n_tokens
        tokens = range(int(count(self._vocabulary)))
        found = [self._name(t) for t in tokens if attribute(self._vocabulary, t) & CONTROL]
        return sorted(filter(None, found), key=len, reverse=True)

    def piece(self, token: int) -> bytes:
        """Return a token's bytes, which may be a part of a character; a control token has none."""
        call, size = self._binding.llama_token_to_piece, len(self._buffer)
        length = call(self._vocabulary, token, self._buffer, size, 0, False)
        if length < 0:
            self._buffer = ctypes.create_string_buffer(-length)
            length = call(self._vocabulary, token, self._buffer, -length, 0, False)
        return bytes(self._buffer.raw[: max(0, length)])

    def is_end(self, token: int) -> bool:
        """Whether ``token`` ends an answer."""
        return bool(self._binding.llama_vocab_is_eog(self._vocabulary, token))

    def tokenize(self, text: str, *, add_bos: bool) -> list[int]:
        """Split ``text``; texts of control tokens become those tokens."""
        raw = text.encode("utf-8")
        size = len(raw) + 8
        tokens = (ctypes.c_int32 * size)()
        count = self._binding.llama_tokenize(self._vocabulary, raw, len(raw), tokens, size, add_bos, True)
        if count < 0:
            raise ValueError("the tokenizer needs more tokens than bytes")
        return list(tokens[:count])

    def _render(self, turns: Sequence[Turn]) -> list[int]:
        text = self._template.render(turns)
        return self.tokenize(text, add_bos=not self._template.begins_with_bos(text))

    def _common_beginning(self) -> list[int]:
        """Return the tokens of every conversation that begins with the system turns."""
        one, other = (self._render([*self._system, Turn("user", text)]) for text in ("Hello", "你好"))
        return one[: common(one, other)]

    def prompt(self, turns: Sequence[Turn], max_tokens: int) -> list[int]:
        """Return the tokens of the newest part of ``turns`` that leaves room for ``max_tokens``.

        Raises:
            RequestError: the system prompt leaves no room, or the template refuses the turns.
        """
        # No tokenizer puts more than a few characters into a token; the rest of a flood is not worth
        # splitting.
        longest = self.context_tokens * 8
        clean = [
            t
            if t.role == "system"
            else Turn(t.role, without_control_texts(t.content[:longest], self.controls))
            for t in turns
        ]
        try:
            tokens, _ = fit(clean, self.context_tokens - max_tokens, self._render)
        except DoesNotFit:
            raise RequestError(
                "the system prompt and the answer's limit leave no room for a message"
            ) from None
        except Exception as error:
            raise RequestError("the model's chat template refuses this conversation") from error
        return tokens


def _report(level: int, text: bytes, _data: object) -> None:
    """Log llama.cpp's own errors; the rest of what it says, and it says a lot, is dropped."""
    if level == ERROR:
        said = text.decode("utf-8", "replace").strip()
        _reported.append(said)
        log.error("llama.cpp reports an error", detail=said)


def _why() -> str:
    """Return the reason among llama.cpp's own lines, such as ``tensor 'output_norm.weight' not found``."""
    for line in _reported:
        _, found, reason = line.partition("error loading model: ")
        if found:
            return reason
    return _reported[0] if _reported else "it gives no reason"
