"""A context without a model: a character is a token, and what it holds can be looked at."""

from collections.abc import Sequence

from assistant.inference.backend import Caller, Options
from assistant.inference.context import Chunk, DecodeError
from assistant.inference.engine import Engine, Request, Words
from assistant.messages import Turn

END = 0
SYSTEM_TEXT = "system:"


def tokens(text: str) -> list[int]:
    return [ord(c) for c in text]


class FakeDecoder:
    """Insists that every sequence grows without gaps; fails on batches with one of ``poison``."""

    batch_tokens = 300

    def __init__(self) -> None:
        self.sequences: dict[int, list[int]] = {}
        self.batches: list[list[Chunk]] = []
        self.poison: set[int] = set()
        self.forgets_partly = True

    def decode(self, chunks: Sequence[Chunk]) -> list[int]:
        rows, row = [], -1
        for chunk in chunks:
            held = self.sequences.setdefault(chunk.sequence, [])
            assert chunk.start == len(held), "a gap or an overlap in the sequence"
            assert chunk.tokens
            held.extend(chunk.tokens)
            row += len(chunk.tokens)
            rows.append(row)
        assert row < self.batch_tokens
        self.batches.append(list(chunks))
        if any(self.poison & set(c.tokens) for c in chunks):
            raise DecodeError(-3)
        return rows

    def truncate(self, sequence: int, length: int) -> bool:
        if length and not self.forgets_partly:
            return False
        del self.sequences.setdefault(sequence, [])[length:]
        return True

    def share(self, source: int, target: int) -> None:
        assert not self.sequences.get(target), "the target must be empty"
        self.sequences[target] = list(self.sequences[source])


class FakeSampler:
    """Says ``a`` as often as the options' seed tells, then ends."""

    open = 0

    def __init__(self, options: Options) -> None:
        self.left = options.seed or 0
        FakeSampler.open += 1

    def sample(self, row: int) -> int:
        assert row >= 0
        self.left -= 1
        return ord("a") if self.left >= 0 else END

    def close(self) -> None:
        FakeSampler.open -= 1


WORDS = Words(piece=lambda token: chr(token).encode(), is_end=lambda token: token == END, sampler=FakeSampler)


def fake_engine(decoder: FakeDecoder, parallel: int = 4, cells: int = 2000) -> Engine:
    return Engine(decoder, WORDS, tokens(SYSTEM_TEXT), parallel=parallel, sequences=8, cells=cells)


def request(
    text: str, words: int = 3, *, deadline: float = 1e12, caller: Caller | None = None, limit: int = 100
) -> Request:
    """A request whose answer has ``words`` letters."""
    options = Options(limit, 0.0, 60.0, seed=words)
    return Request(tokens(SYSTEM_TEXT + text), options, caller or Caller(), deadline)


def run(engine: Engine, steps: int = 10_000) -> None:
    """Step until there is nothing to do."""
    for _ in range(steps):
        if engine.idle:
            return
        engine.step()
    raise AssertionError("the engine does not come to an end")


class FakeModel:
    """A model whose prompt is its newest turn; ``fault`` as a text fails, each in its own way."""

    context_tokens = 64

    def __init__(self) -> None:
        self.decoder = FakeDecoder()
        self.closed = False

    def prompt(self, turns: Sequence[Turn], max_tokens: int) -> list[int]:
        return tokens(SYSTEM_TEXT + turns[-1].content)

    def engine(self) -> Engine:
        return fake_engine(self.decoder)

    def close(self) -> None:
        self.closed = True
