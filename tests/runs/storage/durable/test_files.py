"""Files that are read whole."""

from __future__ import annotations

import os

import pytest

from nnrun.runs.storage.durable import read_regular
from nnrun.runs.storage.progress import read_own


@pytest.mark.parametrize("kind", ["folder", "pipe", "large"])
def test_what_is_not_read_stays_open_nowhere(tmp_path, kind):
    """A folder, a pipe or a very large file is refused, and its descriptor is closed."""
    path = tmp_path / "report.json"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(bytes(100))
    before = os.listdir("/dev/fd")
    with pytest.raises(OSError, match=r"report\.json"):
        read_regular(path, most=50)
    with pytest.raises(OSError, match=r"report\.json"):
        read_own(tmp_path, path.name, most=50)
    assert len(before) == len(os.listdir("/dev/fd"))
