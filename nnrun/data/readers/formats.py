"""The formats of data files, by the ends of their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

GIVEN = "<data>"
"""The path of data that are given in Python, in place of a file."""
ARRAYS = "npz"
DELIMITED = ("csv", "tsv")
_NAMES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "json lines",
    ".ndjson": "json lines",
    ".parquet": "parquet",
    ".xlsx": "excel",
    ".npz": ARRAYS,
}
_TEXTS = (*DELIMITED, "json lines")
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
KNOWN = ".csv, .tsv, .jsonl, .parquet, .xlsx or .npz"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


@dataclass(frozen=True)
class Format:
    """The format of a file; `compression` is empty where there is none."""

    name: str
    compression: str = ""

    @property
    def is_table(self) -> bool:
        """Whether it has columns with names."""
        return self.name != ARRAYS

    @property
    def is_delimited(self) -> bool:
        """Whether its cells are text between separators."""
        return self.name in DELIMITED


def format_of(path: str | PathLike[str]) -> Format | None:
    """The format that the name of a file says; None if it is no data file's."""
    name = fspath(path).lower()
    end = next((end for end in COMPRESSIONS if name.endswith(end)), "")
    plain = name.removesuffix(end)
    found = next((kind for suffix, kind in _NAMES.items() if plain.endswith(suffix)), None)
    if found is None or (end and found not in _TEXTS):
        return None
    return Format(found, COMPRESSIONS.get(end, ""))


def names_table(dataset: Mapping[str, Any]) -> bool:
    """Whether the values of a `dataset` block name a table."""
    path = dataset.get("path")
    if dataset.get("name") is not None or not isinstance(path, str):
        return False
    if path == GIVEN:
        return dataset.get("columns") is not None
    found = format_of(path)
    return found is not None and found.is_table


def holds_arrays(path: object) -> bool:
    """Whether a path is that of arrays."""
    found = format_of(path) if isinstance(path, str) else None
    return path == GIVEN or (found is not None and not found.is_table)


def stem(path: Path) -> str:
    """The name of a data file without the ends that say its format."""
    found = format_of(path)
    return Path(path.stem).stem if found is not None and found.compression else path.stem


def is_data_file(path: str | PathLike[str]) -> bool:
    """Whether a file has the name of a data file."""
    return format_of(path) is not None


def is_address(path: str | PathLike[str]) -> bool:
    """Whether it is an address in a network rather than a path."""
    return _ADDRESS.match(fspath(path)) is not None


def about_address(path: str | PathLike[str], wanted: str = "file") -> str:
    """What helps where a file or folder is wanted, and this is an address."""
    whole = re.sub(":/+", "://", fspath(path), count=1)  # paths leave one of two strokes out
    return f"'{whole}' is an address, and nothing is fetched: download it, and name the {wanted}"


def why_no_file(path: str | PathLike[str]) -> str | None:
    """What is wrong with the name of a data file, and what helps; None if nothing is."""
    text = fspath(path)
    if is_address(text):
        return about_address(text)
    if format_of(text) is None:
        return f"'{text}' is no {KNOWN} file"
    return None
