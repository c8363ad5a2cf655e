"""What a plugin adds: parts, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nnrun.errors import UsageError


class PluginError(UsageError):
    """A plugin cannot be loaded, or is not there."""


@dataclass(frozen=True)
class Source:
    """Source of parts: a file, or an installed package.

    Args:
        name: that of the file, or name and version of the package.
        sha256: of the file, or of all modules of the package.
        path: of the file; None for an installed package.
        code: the content of the file.
    """

    name: str
    sha256: str
    path: str | None = None
    code: bytes = field(default=b"", repr=False)

    @property
    def key(self) -> str:
        """The same for all versions of one file or package."""
        return self.path or self.name.partition(" ")[0]

    @property
    def advice(self) -> str:
        """How to make its parts known."""
        if self.path is None:
            return f"pip install {self.name.partition(' ')[0]} brings it"
        return f"name it with --plugin {self.name}"


@dataclass(frozen=True)
class Part:
    """A part that a plugin registers.

    Args:
        kind: a key of `KINDS`.
        name: as configs write it.
        entry: the class or function.
        source: where it comes from.
        place: the file and line of its registration.
        options: keywords of `register`.
    """

    kind: str
    name: str
    entry: Any = field(repr=False)
    source: Source
    place: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Title of the part in messages: `the layer 'squash' of mylayer.py`."""
        return f"the {self.kind} '{self.name}' of {self.source.name}"

    @property
    def fingerprint(self) -> dict[str, str]:
        """Fingerprint of the part in reports and models."""
        return {
            "kind": self.kind,
            "name": self.name,
            "source": self.source.name,
            "sha256": self.source.sha256,
        }
