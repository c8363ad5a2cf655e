"""Bytes that were sound once: cut, flipped, doubled, or with something odd put in."""

from __future__ import annotations

from hypothesis import strategies as st

# What has made some reader stumble at some time.
ODD = [
    b"\0", b"\xff", b"\x1b[31m", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\xc2\x85",
    b"\r", b"\n", b"\t", b"'", b'"', b"\\", b"[", b"]", b"{", b"}", b"(", b")", b",", b":", b"#",
    b"&a ", b"*a", b"!!python/name:os.system ", b"<<: *a", b"? ", b"- ", b"---\n", b"...\n", b"%",
    b"null", b"~", b"true", b"nan", b".nan", b"inf", b"-inf", b"1e999", b"-1", b"0", b"1_0",
    b"0x" + b"f" * 4000, b"9" * 400, b"9" * 5000, b"-" * 3000, b"[" * 3000, b"(" * 3000,
    b"\xff" * 8, b"\0" * 8, b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\x1f\x8b", b"PK\x03\x04",
    b"cos\nsystem\n(S'id'\ntR.", b"__class__", b"../../", b"\xf4\x90\x80\x80", b"\x93NUMPY",
]  # fmt: skip


@st.composite
def flipped(draw: st.DrawFn, sound: bytes) -> bytes:
    """The bytes with one bit of them turned."""
    content = bytearray(sound)
    content[draw(st.integers(0, len(content) - 1))] ^= 1 << draw(st.integers(0, 7))
    return bytes(content)


@st.composite
def mutated(draw: st.DrawFn, sound: bytes) -> bytes:
    """Up to four things done to these bytes."""
    content = bytearray(sound)
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(content)))
        length = draw(st.integers(0, 12) | st.integers(0, max(1, len(content))))
        piece = bytes(content[start : start + length])
        match draw(st.sampled_from(("flip", "cut", "remove", "double", "put", "move"))):
            case "flip" if start < len(content):
                content[start] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del content[start:]
            case "remove":
                del content[start : start + length]
            case "double":
                content[start:start] = piece
            case "put":
                content[start:start] = draw(st.sampled_from(ODD) | st.binary(max_size=8))
            case "move":
                del content[start : start + length]
                place = draw(st.integers(0, len(content)))
                content[place:place] = piece
    return bytes(content)
