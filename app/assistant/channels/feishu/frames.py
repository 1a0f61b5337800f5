"""The frames of Feishu's long connection: protocol buffers, written and read by hand.

Source: github.com/larksuite/oapi-sdk-python, lark_oapi/ws (MIT), whose message ``pbbp2.Frame`` is: SeqID (1)
and LogID (2), uint64; service (3) and method (4), int32; headers (5), each with key (1) and value (2); and
the optional payload_encoding (6), payload_type (7), payload (8), LogIDNew (9). The SDK itself is not used: it
brings 50 MB, runs handlers in the loop that reads, cannot be stopped, and writes what people say into its
log.
"""

from dataclasses import dataclass, field

CONTROL, DATA = 0, 1
_VARINT, _BYTES = 0, 2
_FIXED = {1: 8, 5: 4}


class FrameError(Exception):
    """The bytes are no frame."""


@dataclass
class Frame:
    """One frame; ``method`` is CONTROL or DATA."""

    method: int
    service: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    payload: bytes = b""
    sequence: int = 0
    log: int = 0
    log_new: str = ""
    payload_encoding: str = ""
    payload_type: str = ""

    def encode(self) -> bytes:
        """Return the frame's bytes."""
        out = bytearray()
        for number, count in ((1, self.sequence), (2, self.log), (3, self.service), (4, self.method)):
            out += _varint(number << 3 | _VARINT) + _varint(count & (2**64 - 1))
        for key, value in self.headers.items():
            out += _field(5, _field(1, key.encode()) + _field(2, value.encode()))
        for number, text in ((6, self.payload_encoding), (7, self.payload_type)):
            if text:
                out += _field(number, text.encode())
        if self.payload:
            out += _field(8, self.payload)
        if self.log_new:
            out += _field(9, self.log_new.encode())
        return bytes(out)

    @classmethod
    def decode(cls, data: bytes) -> "Frame":
        """Read a frame.

        Raises:
            FrameError: ``data`` is none.
        """
        numbers: dict[int, int] = {}
        texts: dict[int, bytes] = {}
        headers: dict[str, str] = {}
        for number, value in _fields(data):
            if isinstance(value, int):
                numbers[number] = value
            elif number == 5:
                pair = {n: v for n, v in _fields(value) if isinstance(v, bytes)}
                headers[_text(pair.get(1, b""))] = _text(pair.get(2, b""))
            else:
                texts[number] = value
        if 4 not in numbers:
            raise FrameError("no method")
        return cls(
            method=_signed(numbers[4]),
            service=_signed(numbers.get(3, 0)),
            headers=headers,
            payload=texts.get(8, b""),
            sequence=numbers.get(1, 0),
            log=numbers.get(2, 0),
            log_new=_text(texts.get(9, b"")),
            payload_encoding=_text(texts.get(6, b"")),
            payload_type=_text(texts.get(7, b"")),
        )


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise FrameError("a text is not UTF-8") from None


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (2**64 - 1), at
        shift += 7
    raise FrameError("a number does not end")


def _fields(data: bytes) -> list[tuple[int, int | bytes]]:
    found: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _read_varint(data, at)
            found.append((number, value))
            continue
        if kind == _BYTES:
            length, at = _read_varint(data, at)
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            raise FrameError("a field of an unknown kind")
        if at + length > len(data):
            raise FrameError("a field is cut off")
        if kind == _BYTES:
            found.append((number, data[at : at + length]))
        at += length
    return found
