"""Choosing a token: one llama.cpp sampler chain for each answer."""

import random
from typing import Any

import numpy as np

from assistant.inference.backend import InferenceError, Options
from assistant.inference.native import holding_the_lock

# How many of the last tokens the repetition penalty looks at; llama.cpp's own default.
PENALTY_WINDOW = 64
# JSON objects as RFC 8259 writes them. White space is bounded: a model could go on with it for ever.
JSON_GRAMMAR = r"""
root   ::= object
value  ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" ws ( member ( "," ws member )* )? "}"
member ::= string ws ":" ws value ws
array  ::= "[" ws ( value ws ( "," ws value ws )* )? "]"
string ::= "\"" character* "\""
character ::= [^"\\\x7F\x00-\x1F] | "\\" ( ["\\/bfnrt] | "u" [0-9a-fA-F]{4} )
number ::= "-"? ( "0" | [1-9] [0-9]{0,15} ) ( "." [0-9]{1,15} )? ( [eE] [-+]? [0-9]{1,3} )?
ws     ::= ( " " | "\n" [ \t]{0,20} )?
"""


def sampler(binding: Any, context: Any, vocabulary: Any, options: Options) -> "Chain | Greedy":
    """Return what chooses the tokens of one answer as ``options`` say.

    Raises:
        InferenceError: llama.cpp refuses a part.
    """
    if options.temperature <= 0 and options.repetition_penalty == 1.0 and not options.json_object:
        return Greedy(binding, context, vocabulary)
    return Chain(binding, context, vocabulary, options)


class Greedy:
    """Takes the likeliest token. A chain would first copy the whole vocabulary, at each token."""

    def __init__(self, binding: Any, context: Any, vocabulary: Any) -> None:
        """Look at the outputs of ``context``."""
        self._context = context
        self._logits = holding_the_lock(binding, "llama_get_logits_ith")
        self._words = int(binding.llama_vocab_n_tokens(vocabulary))

    def sample(self, row: int) -> int:
        """Return the next token, from the output of the batch's ``row``.

        Raises:
            InferenceError: the row has no output.
        """
        logits = self._logits(self._context, row)
        if not logits:
            raise InferenceError(f"row {row} of the batch has no output")
        return int(np.ctypeslib.as_array(logits, shape=(self._words,)).argmax())

    def close(self) -> None:
        """Nothing is held."""


class Chain:
    """A chain for one answer; it remembers the answer's tokens. Used on the context's thread alone."""

    def __init__(self, binding: Any, context: Any, vocabulary: Any, options: Options) -> None:
        """Build the chain that ``options`` describe.

        Order: grammar, penalties, top-k, top-p, min-p, temperature (llama.cpp/common/sampling.cpp).

        Raises:
            InferenceError: llama.cpp refuses a part.
        """
        self._binding, self._context = binding, context
        self._chain = binding.llama_sampler_chain_init(binding.llama_sampler_chain_default_params())
        try:
            for part in _parts(binding, vocabulary, options):
                if not part:
                    raise InferenceError("llama.cpp refuses a sampler")
                binding.llama_sampler_chain_add(self._chain, part)
        except BaseException:
            self.close()
            raise

    def sample(self, row: int) -> int:
        """Return the next token, from the output of the batch's ``row``."""
        return int(self._binding.llama_sampler_sample(self._chain, self._context, row))

    def close(self) -> None:
        """Free the chain."""
        if self._chain:
            self._binding.llama_sampler_free(self._chain)
            self._chain = None


def _parts(binding: Any, vocabulary: Any, options: Options) -> Any:
    if options.json_object:
        yield binding.llama_sampler_init_grammar(vocabulary, JSON_GRAMMAR.encode(), b"root")
    if options.repetition_penalty != 1.0:
        words = binding.llama_vocab_n_tokens(vocabulary)
        yield binding.llama_sampler_init_penalties(
            words, PENALTY_WINDOW, options.repetition_penalty, 0.0, 0.0
        )
    if options.temperature <= 0:
        yield binding.llama_sampler_init_greedy()
        return
    if options.top_k > 0:
        yield binding.llama_sampler_init_top_k(options.top_k)
    if options.top_p < 1:
        yield binding.llama_sampler_init_top_p(options.top_p, 1)
    if options.min_p > 0:
        yield binding.llama_sampler_init_min_p(options.min_p, 1)
    yield binding.llama_sampler_init_temp(options.temperature)
    seed = random.getrandbits(32) if options.seed is None else options.seed % 2**32
    # llama.h: LLAMA_DEFAULT_SEED means "take a random one", which a caller's seed must not.
    yield binding.llama_sampler_init_dist(seed - 1 if seed == binding.LLAMA_DEFAULT_SEED else seed)
