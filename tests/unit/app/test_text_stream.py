"""From bytes to text: nothing half, nothing that must not be shown."""

import random

import pytest

from assistant.inference.text_stream import TextStream

TEXT = "Zürich 你好，世界 🎉🇨🇳 e\u0301 end"


def pushed(pieces: list[bytes], **options: list[str]) -> tuple[str, list[str], TextStream]:
    stream = TextStream(**options)
    shown = [stream.push(p) for p in pieces]
    stopped = stream.stopped
    shown.append(stream.finish())
    assert stream.text == "".join(shown)
    stream.stopped = stopped
    return stream.text, shown, stream


def cut(raw: bytes, random_: random.Random) -> list[bytes]:
    pieces = []
    while raw:
        length = random_.randint(1, 5)
        pieces.append(raw[:length])
        raw = raw[length:]
    return pieces


@pytest.mark.parametrize("seed", range(50))
def test_characters_are_never_split(seed: int) -> None:
    text, shown, _ = pushed(cut(TEXT.encode(), random.Random(seed)))
    assert text == TEXT
    assert "\ufffd" not in "".join(shown)


def test_each_byte_by_itself_shows_whole_characters() -> None:
    _, shown, _ = pushed([bytes([b]) for b in "好🎉".encode()])
    assert shown == ["", "", "好", "", "", "", "🎉", ""]


def test_half_a_character_at_the_end_is_dropped() -> None:
    assert pushed([b"ok ", "好".encode()[:2]])[0] == "ok"


def test_byte_that_belongs_to_no_character_is_marked() -> None:
    assert pushed([b"a\xffb"])[0] == "a\ufffdb"


@pytest.mark.parametrize("seed", range(50))
def test_stop_text_over_any_borders(seed: int) -> None:
    raw = "one 停止 two <end>three".encode()
    text, shown, stream = pushed(cut(raw, random.Random(seed)), stops=["<end>", "never"])
    assert text == "one 停止 two"
    assert stream.stopped
    assert not any("<" in s for s in shown)


def test_earliest_stop_text_counts_and_nothing_follows() -> None:
    stream = TextStream(["later", "\n\n"])
    assert stream.push(b"a\n\nb later c") == "a"
    assert stream.stopped
    assert stream.push(b"more") == stream.finish() == ""


def test_beginning_of_a_stop_text_is_shown_once_it_is_none() -> None:
    _, shown, stream = pushed([b"a<", b"e", b"x", b"<en"], stops=["<end>"])
    assert shown == ["a", "", "<ex", "", "<en"]
    assert not stream.stopped


@pytest.mark.parametrize("seed", range(30))
def test_spelled_out_control_text_is_left_out(seed: int) -> None:
    raw = b"Hello <|im_start|>there<|im_end|>"
    text, _, stream = pushed(cut(raw, random.Random(seed)), controls=["<|im_start|>", "<|im_end|>"])
    assert text == "Hello there"
    assert not stream.stopped


def test_white_space_at_both_ends_is_left_out() -> None:
    _, shown, _ = pushed([b" \n", b" a", b"  ", b"b", b" \n "])
    assert shown == ["", "a", "", "  b", "", ""]
