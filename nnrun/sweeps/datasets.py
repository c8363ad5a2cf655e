"""Data sets that are loaded once in a process, however many runs need them."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TypeVar

from nnrun.config.schema import DatasetConfig
from nnrun.data.dataset import Dataset
from nnrun.data.load import load_dataset

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


# What loading depends on; the other keys say how to split and preprocess.
_KEYS = {"name", "path", "columns", "task", "target", "stratify"}


def data_key(config: DatasetConfig, sha256: str) -> str:
    """What tells a loaded data set from all others: the bytes, and how they were read."""
    return f"{sha256} {_reading(config)}"


def _reading(config: DatasetConfig) -> str:
    return config.model_dump_json(include=_KEYS)


class Datasets:
    """Loads data sets and keeps the ones used last."""

    def __init__(self) -> None:
        self._loaded: LruCache[Dataset] = LruCache()
        self._lock = Lock()

    def load(self, config: DatasetConfig) -> Dataset:
        """The data set that a config names.

        Raises:
            DataError: it cannot be loaded.
        """
        key = _reading(config)
        with self._lock:
            known = self._loaded.get(key)
            return self._loaded.keep(key, load_dataset(config) if known is None else known)
