"""The models beside a draft, by their defaults, each with the encoding that its documentation asks.

All get the same rows, and the columns that the draft has as features: dates as days, categories as
they are where a model takes them and one-hot where it takes none, blank numbers as NaN or else as
the median of the training rows. A blank category is one of its own. Each is imported when used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from nnrun.data.columns.cell_errors import MISSING_NUMBERS
from nnrun.data.labels import is_code
from tests.simulations.small_tables import SmallTable

Frame = pd.DataFrame
_MOST_CATEGORIES = 255
"""HistGradientBoosting takes no more; then their codes are numbers."""


def columns_of(table: SmallTable) -> Frame:
    """The features as float64, with NaN for blanks, and as text."""
    found = {}
    for place, name in enumerate(table.features):
        cells = table.cells[name].str.strip()
        blank = cells.str.lower().isin(MISSING_NUMBERS)
        numbers = pd.to_numeric(cells.mask(blank), errors="coerce")
        if name in table.dates:
            times = pd.to_datetime(cells.mask(blank), format="mixed", errors="coerce")
            found[f"x{place}"] = (times - pd.Timestamp(0)) / pd.Timedelta(days=1)
        elif numbers[~blank].notna().all() and not cells[~blank].map(is_code).any():
            found[f"x{place}"] = numbers.astype(np.float64)
        else:
            found[f"x{place}"] = cells.astype(object)
    return pd.DataFrame(found)


def targets_of(table: SmallTable) -> np.ndarray:
    """Classes as text, or numbers."""
    cells = table.cells[table.target].str.strip()
    return np.asarray(cells, object) if table.task == "classification" else np.asarray(cells, float)


def _texts(x: Frame) -> list[str]:
    return [name for name in x if x[name].dtype == object]


def _numbers(x: Frame) -> list[str]:
    return [name for name in x if x[name].dtype != object]


def _categorical(x: Frame, x_test: Frame, most: int | None = None) -> tuple[Frame, Frame]:
    """Text as pandas' categories, which are those of the training rows."""
    x, x_test = x.copy(), x_test.copy()
    for name in _texts(x):
        kind = pd.CategoricalDtype(sorted(x[name].unique()))
        x[name], x_test[name] = x[name].astype(kind), x_test[name].astype(kind)
        if most is not None and len(kind.categories) > most:
            x[name], x_test[name] = x[name].cat.codes, x_test[name].cat.codes
    return x, x_test


def _filled(x: Frame, x_test: Frame) -> tuple[Frame, Frame]:
    """Blank numbers as medians."""
    medians = x[_numbers(x)].median().fillna(0)
    return x.fillna(medians), x_test.fillna(medians)


def _one_hot(x: Frame, numbers: Any) -> ColumnTransformer:
    texts = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer([("numbers", numbers, _numbers(x)), ("texts", texts, _texts(x))])


def _mlp(x: Frame, y: np.ndarray, x_test: Frame, classes: bool) -> np.ndarray:
    network = MLPClassifier(random_state=0) if classes else MLPRegressor(random_state=0)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    model: Any = make_pipeline(_one_hot(x, numbers), network)
    if not classes:
        model = TransformedTargetRegressor(model, transformer=StandardScaler())
    return np.asarray(model.fit(x, y).predict(x_test))


def _boosting(x: Frame, y: np.ndarray, x_test: Frame, classes: bool) -> np.ndarray:
    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    x, x_test = _categorical(x, x_test, _MOST_CATEGORIES)
    return np.asarray(kind(random_state=0).fit(x, y).predict(x_test))


def _forest(x: Frame, y: np.ndarray, x_test: Frame, classes: bool) -> np.ndarray:
    kind = RandomForestClassifier if classes else RandomForestRegressor
    model = make_pipeline(_one_hot(x, "passthrough"), kind(random_state=0, n_jobs=1))
    return np.asarray(model.fit(x, y).predict(x_test))


def _lightgbm(x: Frame, y: np.ndarray, x_test: Frame, classes: bool) -> np.ndarray:
    from lightgbm import LGBMClassifier, LGBMRegressor

    kind = LGBMClassifier if classes else LGBMRegressor
    x, x_test = _categorical(x, x_test)
    return np.asarray(kind(random_state=0, n_jobs=1, verbose=-1).fit(x, y).predict(x_test))


def _catboost(x: Frame, y: np.ndarray, x_test: Frame, classes: bool) -> np.ndarray:
    from catboost import CatBoostClassifier, CatBoostRegressor

    model = (CatBoostClassifier if classes else CatBoostRegressor)(
        iterations=500, random_seed=0, thread_count=1, verbose=False, allow_writing_files=False,
        cat_features=_texts(x),
    )  # fmt: skip
    return np.ravel(model.fit(x, y).predict(x_test))


def _realmlp(x: Frame, y: np.ndarray, x_test: Frame, classes: bool) -> np.ndarray:
    from pytabkit import RealMLP_TD_S_Classifier, RealMLP_TD_S_Regressor

    kind = RealMLP_TD_S_Classifier if classes else RealMLP_TD_S_Regressor
    return _by_pytabkit(kind, x, y, x_test)


def _tabm(x: Frame, y: np.ndarray, x_test: Frame, classes: bool) -> np.ndarray:
    from pytabkit import TabM_D_Classifier, TabM_D_Regressor

    return _by_pytabkit(TabM_D_Classifier if classes else TabM_D_Regressor, x, y, x_test)


def _by_pytabkit(kind: Any, x: Frame, y: np.ndarray, x_test: Frame) -> np.ndarray:
    import torch

    torch.set_num_threads(1)
    x, x_test = _filled(x, x_test)
    model = kind(device="cpu", random_state=0, n_threads=1)
    return np.ravel(model.fit(x, y, cat_col_names=_texts(x)).predict(x_test))


PEERS: dict[str, Callable[[Frame, np.ndarray, Frame, bool], np.ndarray]] = {
    "MLP": _mlp,
    "HistGradientBoosting": _boosting,
    "forest": _forest,
    "LightGBM": _lightgbm,
    "CatBoost, 500 trees": _catboost,
    "RealMLP-TD-S": _realmlp,
    "TabM": _tabm,
}
"""What each predicts for test rows, classes as their places or numbers."""
