"""Tables of data that are none."""

from __future__ import annotations

from tests.hostile.refusals import csv, described, npy, npz

TRUE = npy(described("'<f8'", "(True, 60)"), bytes(480))
LABELS = npy(described("'<U1'", "(4,)"), b"\0\0\x11\0" + b"a\0\0\0" * 3)
SURROGATES = npy(described("'<U1'", "(4,)"), b"a\0\0\0" * 2 + b"\0\xd8\0\0" * 2)
BIG_ENDIAN = npy(described("'>U1'", "(4,)"), b"\0\0\0a" * 3 + b"\0\0\xdf\xff")

CASES = [
    csv("NUL in the header", "a,b\0,y\n1,2,3\n", "x.csv:1: the name of column 2 has a NUL"),
    npz("true in a shape", "an array cannot have the shape (True, 60)", x=TRUE),
    npz("brackets", "a header is no array's", x=npy("[" * 5000)),
    npz("parentheses", "a header is no array's", x=npy("(" * 9000 + ")" * 900)),
    npz("minus signs", "a header is no array's", x=npy("-" * 9000 + "1")),
    npz("an open bracket", "a header is no array's", x=npy("{'descr': '<f8', 'shape': (")),
    npz("labels beyond Unicode", "x.npz: y[0]: U+110000 is no character", y=LABELS),
    npz("labels of surrogates", "x.npz: y[2]: U+D800 is no character", y=SURROGATES),
    npz("labels with the high byte first", "x.npz: y[3]: U+DFFF is no character", y=BIG_ENDIAN),
]  # fmt: skip
