"""A llama context and the arrays that go into it. Everything here runs on the thread that made it."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assistant.inference.backend import InferenceError


class DecodeError(InferenceError):
    """llama.cpp could not decode a batch; ``code`` is what ``llama_decode`` returned."""

    def __init__(self, code: int) -> None:
        """Remember ``code``."""
        super().__init__(f"llama_decode returned {code}")
        self.code = code


@dataclass(frozen=True)
class Chunk:
    """Tokens of one sequence, from position ``start`` on; with ``output`` its last one is sampled from."""

    sequence: int
    start: int
    tokens: Sequence[int]
    output: bool


class Context:
    """A llama context: its cells and its decode call."""

    def __init__(
        self, binding: Any, model: Any, *, cells: int, sequences: int, batch_tokens: int, threads: int
    ) -> None:
        """Allocate ``cells`` of key-value cache, shared by ``sequences``.

        Raises:
            MemoryError: llama.cpp could not make it.
        """
        self._binding = binding
        parameters = binding.llama_context_default_params()
        parameters.n_ctx = cells
        parameters.n_batch = parameters.n_ubatch = batch_tokens
        parameters.n_seq_max = sequences
        parameters.n_threads = parameters.n_threads_batch = threads
        # One pool of cells for all sequences: sharing the system prompt is then a matter of marks, not of
        # copies, and a long conversation may have what short ones leave.
        parameters.kv_unified = True
        # It passes over the cells of other conversations: 12 % more answers a second of a 0.5B model with 16
        # at once (2 cores, AVX-512 and AMX), and less memory.
        parameters.flash_attn_type = binding.LLAMA_FLASH_ATTN_TYPE_AUTO
        self.handle = binding.llama_init_from_model(model, parameters)
        if not self.handle:
            raise MemoryError(
                f"the context of {cells} tokens for the conversations could not be made: lower "
                "ASSISTANT_PARALLEL or ASSISTANT_CONTEXT_TOKENS, or raise the container's memory limit"
            )
        self._memory = binding.llama_get_memory(self.handle)
        self.batch_tokens = batch_tokens
        self._arrays(batch_tokens)

    def _arrays(self, size: int) -> None:
        """Make the arrays of a llama_batch once; each step only writes numbers into them."""
        self._token = np.zeros(size, np.int32)
        self._position = np.zeros(size, np.int32)
        self._count = np.ones(size, np.int32)
        self._sequence = np.zeros(size, np.int32)
        self._output = np.zeros(size, np.int8)
        number = ctypes.POINTER(ctypes.c_int32)
        first = self._sequence.ctypes.data
        # Each token's list of sequences has one member, at its place in one array.
        self._lists = (number * size)(
            *(ctypes.cast(first + n * self._sequence.itemsize, number) for n in range(size))
        )
        self._batch = self._binding.llama_batch(
            n_tokens=0,
            token=self._token.ctypes.data_as(number),
            pos=self._position.ctypes.data_as(number),
            n_seq_id=self._count.ctypes.data_as(number),
            seq_id=ctypes.cast(self._lists, ctypes.POINTER(number)),
            logits=self._output.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )

    def decode(self, chunks: Sequence[Chunk]) -> list[int]:
        """Decode ``chunks`` in one call; returns the row of each one's last token.

        Raises:
            DecodeError: llama.cpp failed; the sequences may hold a part of the chunks.
        """
        rows, at = [], 0
        for chunk in chunks:
            end = at + len(chunk.tokens)
            self._token[at:end] = chunk.tokens
            self._position[at:end] = np.arange(chunk.start, chunk.start + end - at, dtype=np.int32)
            self._sequence[at:end] = chunk.sequence
            self._output[at:end] = 0
            self._output[end - 1] = chunk.output
            at = end
            rows.append(end - 1)
        self._batch.n_tokens = at
        code = int(self._binding.llama_decode(self.handle, self._batch))
        if code:
            raise DecodeError(code)
        return rows

    def truncate(self, sequence: int, length: int) -> bool:
        """Forget a sequence's positions from ``length`` on; see ``Memory.truncate``."""
        return bool(self._binding.llama_memory_seq_rm(self._memory, sequence, length, -1))

    def share(self, source: int, target: int) -> None:
        """Let ``target`` have all cells of ``source``; see ``Memory.share``."""
        self._binding.llama_memory_seq_cp(self._memory, source, target, -1, -1)

    def length(self, sequence: int) -> int:
        """Return how many positions a sequence has."""
        return int(self._binding.llama_memory_seq_pos_max(self._memory, sequence)) + 1

    def close(self) -> None:
        """Free the context."""
        if self.handle:
            self._binding.llama_free(self.handle)
            self.handle = None
