"""Imported before Dask, which reads its settings from the environment while it is imported."""

from __future__ import annotations

import os

from tests.sweeps.cluster import SETTINGS

os.environ.update(SETTINGS)
