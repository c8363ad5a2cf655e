"""Data sets, their preprocessing and their splits."""

from nnrun.data.builtin.registry import DATASETS, Entry
from nnrun.data.dataset import Dataset, DatasetProblem
from nnrun.data.layout import Columns, Layout
from nnrun.data.load import load_dataset, load_features
from nnrun.data.preprocessing.pipeline import Preprocessing
from nnrun.data.splits.make import make_split, resolve_test_size
from nnrun.data.splits.parts import Split, SplitData

__all__ = [
    "DATASETS",
    "Columns",
    "Dataset",
    "DatasetProblem",
    "Entry",
    "Layout",
    "Preprocessing",
    "Split",
    "SplitData",
    "load_dataset",
    "load_features",
    "make_split",
    "resolve_test_size",
]
