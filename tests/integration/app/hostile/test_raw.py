"""Bytes that are no proper HTTP: lengths that lie, broken chunks, headers of no form."""

from hypothesis import given
from hypothesis import strategies as st

from tests.integration.app.hostile.conftest import hostile
from tests.integration.app.hostile.target import Target

PATHS = [b"/feishu/webhook", b"/telegram/webhook", b"/v1/chat/completions", b"/chat/messages", b"/", b"*"]
BODY = b'{"text": "hello", "id": "12345678"}'
lengths = st.sampled_from(
    [b"0", b"5", b"36", b"1000", b"-1", b"+5", b"0x10", b"1e3", b"", b" 7 ", b"99999999999999999999", b"7, 9"]
)
headers = st.one_of(
    lengths.map(lambda n: b"Content-Length: " + n),
    st.sampled_from(
        [
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: chunked, chunked",
            b"Transfer-Encoding : chunked",
            b"Expect: 100-continue",
            b"Connection: Upgrade",
            b"Host: a\x00b",
            b"Host: x\r\nHost: y",
            b"no-colon",
            b": empty",
            b"X-Forwarded-Proto: http",
            b"Cookie: " + b"a=b; " * 2000,
        ]
    ),
    st.binary(max_size=60),
)
chunks = st.one_of(
    st.just(BODY),
    st.sampled_from([b"5\r\nhello\r\n0\r\n\r\n", b"ZZ\r\n", b"-5\r\nhello\r\n", b"ffffffffffffffff\r\nx"]),
    st.binary(max_size=200),
)


@hostile(0.1)
@given(
    method=st.sampled_from([b"POST", b"GET", b"post", b"P\x00ST", b"", b"PRI"]),
    path=st.one_of(st.sampled_from(PATHS), st.binary(max_size=40)),
    version=st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/9.9", b"HTTP/2.0", b"x", b""]),
    lines=st.lists(headers, max_size=5),
    rest=chunks,
)
def test_bytes(
    target: Target, method: bytes, path: bytes, version: bytes, lines: list[bytes], rest: bytes
) -> None:
    head = b"\r\n".join([method + b" " + path + b" " + version, b"Content-Type: application/json", *lines])
    target.send_raw(head + b"\r\n\r\n" + rest)
