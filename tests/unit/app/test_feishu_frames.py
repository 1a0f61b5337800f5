"""The long connection's frames, against bytes that the platform's own SDK for Python wrote."""

import pytest

from assistant.channels.feishu.frames import CONTROL, DATA, Frame, FrameError
from tests.emulators.feishu_long_connection import pack, unpack

PING = bytes.fromhex("0800100018f681801020002a0c0a0474797065120470696e67")
# SeqID 2**64-1, LogID 300, service -5, method 1, five optional fields, a payload of more than 127 bytes.
EVENT = (
    bytes.fromhex(
        "08ffffffffffffffffff0110ac0218fbffffffffffffffff0120012a0d0a047479706512056576656e742a140a0a6d657373"
        "6167655f69641206e6b688e681af2a080a0373756d1201312a080a0373657112013032046e6f6e653a046a736f6e42ac02"
    )
    + '{"a": "你好"}'.encode() * 20
    + bytes.fromhex("4a056c6f672d31")
)
FRAME = Frame(
    method=DATA,
    service=-5,
    headers={"type": "event", "message_id": "消息", "sum": "1", "seq": "0"},
    payload='{"a": "你好"}'.encode() * 20,
    sequence=2**64 - 1,
    log=300,
    log_new="log-1",
    payload_encoding="none",
    payload_type="json",
)


def test_a_ping_is_the_sdks() -> None:
    assert Frame(CONTROL, 33554678, {"type": "ping"}).encode() == PING
    assert Frame.decode(PING) == Frame(CONTROL, 33554678, {"type": "ping"})


def test_an_event_is_the_sdks() -> None:
    assert Frame.decode(EVENT) == FRAME
    assert FRAME.encode() == EVENT


def test_fields_that_are_new_are_skipped() -> None:
    more = bytes.fromhex("50ac02") + bytes.fromhex("5a03616263") + b"\x61" + b"x" * 8 + b"\x6d" + b"y" * 4
    assert Frame.decode(EVENT + more) == FRAME


@pytest.mark.parametrize(
    "data",
    [
        b"",
        EVENT[:-1],
        EVENT[:5],
        b"\xff" * 20,
        b"\x2b",
        PING[:8],
        PING[:-4] + b"\xff\xfe\xff\xfe",
        b"not a frame",
    ],
)
def test_what_is_no_frame(data: bytes) -> None:
    with pytest.raises(FrameError):
        Frame.decode(data)


def test_the_emulator_speaks_the_same() -> None:
    frame = Frame.decode(pack(DATA, {"type": "event", "seq": "0"}, b"{}" * 100))
    assert (frame.method, frame.headers, frame.payload) == (DATA, {"type": "event", "seq": "0"}, b"{}" * 100)
    assert unpack(FRAME.encode()) == (DATA, FRAME.headers, FRAME.payload)
