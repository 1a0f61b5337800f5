"""Who gets which cells of the key-value cache."""

from assistant.inference.cache import Cache, Slot, common
from tests.unit.app.fakes import FakeDecoder, tokens

SYSTEM = tokens("sys:")


def make(sequences: int = 3, cells: int = 100) -> tuple[Cache, FakeDecoder]:
    memory = FakeDecoder()
    memory.sequences[0] = list(SYSTEM)
    return Cache(memory, sequences, cells, SYSTEM), memory


def serve(cache: Cache, memory: FakeDecoder, key: str, text: str, answer: str = "") -> tuple[Slot, int]:
    """Answer ``text``; returns the slot and how many tokens it already had."""
    slot = cache.acquire(key, tokens(text), len(answer) + 1)
    assert slot is not None
    assert slot.tokens == memory.sequences[slot.number], "the books and the cells disagree"
    known = len(slot.tokens)
    slot.tokens = tokens(text + answer)
    memory.sequences[slot.number] = list(slot.tokens)
    cache.release(slot, keep=True)
    return slot, known


def test_common() -> None:
    assert [common(tokens(a), tokens(b)) for a, b in (("abc", "abd"), ("", "a"), ("ab", "abc"))] == [2, 0, 2]


def test_system_prompt_is_shared() -> None:
    cache, memory = make()
    _, known = serve(cache, memory, "one", "sys:hello")
    assert known == len(SYSTEM)
    assert cache.cells == len(SYSTEM) + len("hello")
    assert serve(cache, memory, "two", "other")[1] == 0


def test_next_turn_needs_only_what_is_new() -> None:
    cache, memory = make()
    first, _ = serve(cache, memory, "one", "sys:hello", "hi")
    serve(cache, memory, "two", "sys:hello", "ho")
    second, known = serve(cache, memory, "one", "sys:hellohi,next")
    assert (second.number, known) == (first.number, len("sys:hellohi"))
    # The history was cut: what still agrees is the system prompt.
    assert serve(cache, memory, "one", "sys:next")[1] == len(SYSTEM)


def test_last_token_is_always_left_to_decode() -> None:
    cache, memory = make()
    serve(cache, memory, "one", "sys:hello")
    assert serve(cache, memory, "one", "sys:hello")[1] == len("sys:hello") - 1
    assert serve(cache, memory, "two", "sys:")[1] < len(SYSTEM)


def test_calls_without_a_name_find_their_history_but_no_conversations() -> None:
    cache, memory = make()
    serve(cache, memory, "one", "sys:secret")
    serve(cache, memory, "", "sys:public")
    assert serve(cache, memory, "", "sys:public, and more")[1] == len("sys:public")
    assert serve(cache, memory, "", "sys:secret, and more")[1] == len(SYSTEM)
    assert serve(cache, memory, "one", "sys:secret.")[1] == len("sys:secret"), "it was left alone"


def test_oldest_conversation_makes_room() -> None:
    cache, memory = make(sequences=2)
    for key in ("one", "two", "one", "three"):
        serve(cache, memory, key, f"sys:{key}")
    assert serve(cache, memory, "one", "sys:one!")[1] == len("sys:one")
    assert serve(cache, memory, "two", "sys:two!")[1] == len(SYSTEM)


def test_cells_are_reserved_for_the_whole_answer() -> None:
    cache, memory = make(cells=40)
    serve(cache, memory, "old", "sys:" + "x" * 20)
    slot = cache.acquire("one", tokens("sys:123456"), 20)
    assert slot is not None
    assert cache.cells == len(SYSTEM) + 26
    assert memory.sequences[1] == [], "the old conversation gave way"
    before = cache.cells
    assert cache.acquire("two", tokens("sys:123456"), 20) is None
    assert cache.cells == before
    cache.release(slot, keep=False)
    assert cache.cells == len(SYSTEM)
    assert cache.acquire("two", tokens("sys:123456"), 20) is not None


def test_no_sequence_left() -> None:
    cache, _ = make(sequences=1)
    assert cache.acquire("one", tokens("sys:a"), 1) is not None
    assert cache.acquire("two", tokens("sys:b"), 1) is None


def test_model_that_cannot_forget_a_part_begins_anew() -> None:
    cache, memory = make()
    serve(cache, memory, "one", "sys:hello", "hi")
    memory.forgets_partly = False
    assert serve(cache, memory, "one", "sys:hello?")[1] == len(SYSTEM)
