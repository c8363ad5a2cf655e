"""Data sets that are loaded once in a process, however many runs need them."""

from __future__ import annotations

import json
from collections import OrderedDict
from threading import Lock
from typing import TypeVar

from nnrun.config.schema.experiment import DatasetConfig
from nnrun.data.dataset import Dataset
from nnrun.data.load import check_preparation, read_dataset

V = TypeVar("V")

_MOST = 8


class LruCache(OrderedDict[str, V]):
    """A mapping that forgets what was used longest ago, when there is too much of it."""

    def keep(self, key: str, new: V) -> V:
        """What is kept under this key; from now on `new`, if there is nothing."""
        value = self.setdefault(key, new)
        self.move_to_end(key)
        if len(self) > _MOST:
            self.popitem(last=False)
        return value


def data_key(config: DatasetConfig, sha256: str) -> str:
    """What tells a loaded data set from all others: the bytes, and how they were read."""
    return f"{sha256} {_source(config)}"


def _source(config: DatasetConfig) -> str:
    return json.dumps(config.source)


class Datasets:
    """Loads data sets and keeps the ones used last."""

    def __init__(self) -> None:
        self._loaded: LruCache[Dataset] = LruCache()
        self._lock = Lock()

    def load(self, config: DatasetConfig, data: str | None = None) -> Dataset:
        """The data set that a config names.

        Args:
            config: names it.
            data: its `data_key`, where that is known: each run of a sweep asks for its data.

        Raises:
            DataError: it cannot be loaded, or not be prepared as the config says.
        """
        key = _source(config) if data is None else data.partition(" ")[2]
        with self._lock:
            known = self._loaded.get(key)
            dataset = self._loaded.keep(key, read_dataset(config) if known is None else known)
        check_preparation(dataset, config)
        return dataset
