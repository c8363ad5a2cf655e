"""A cache of loaded data sets, shared by the runs of a process."""

from __future__ import annotations

import json
from collections.abc import Callable
from threading import Lock

from nnrun.config.schema.data.dataset import DatasetConfig
from nnrun.data.dataset import Dataset
from nnrun.data.load import check_preparation, read_dataset
from nnrun.pool.task import LruCache


def data_key(config: DatasetConfig, sha256: str) -> str:
    """The identity of a loaded data set: its digest and how it was read."""
    return f"{sha256} {_source(config)}"


def _source(config: DatasetConfig) -> str:
    return json.dumps(config.source)


class Datasets:
    """Loads data sets, by `read` if it is given, and keeps the most recently used ones."""

    def __init__(self, read: Callable[[DatasetConfig], Dataset] | None = None) -> None:
        self._read = read
        self._loaded: LruCache[Dataset] = LruCache()
        self._lock = Lock()

    def load(self, config: DatasetConfig, data: str | None = None) -> Dataset:
        """The data set that the block `dataset` of a config names.

        `data` is its `data_key`, if known, which saves computing it for each run.

        Raises: DataError if it cannot be loaded or prepared as the config says.
        """
        key = _source(config) if data is None else data.partition(" ")[2]
        with self._lock:
            known = self._loaded.get(key)
            read = self._read or read_dataset
            dataset = self._loaded.keep(key, read(config) if known is None else known)
        check_preparation(dataset, config)
        return dataset
