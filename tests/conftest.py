"""What all tests share: a cache for compiled code that is the tests' own, and is kept."""

from __future__ import annotations

import os
from pathlib import Path

os.environ["NNRUN_CACHE"] = str(Path(__file__).parents[1] / ".pytest_cache" / "nnrun")
