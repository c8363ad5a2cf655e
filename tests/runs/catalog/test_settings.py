"""The settings of stored runs, by which runs are found to be of one setting."""

from __future__ import annotations

import pytest

from nnrun.config.load import load_config
from nnrun.config.names import changes_nothing
from nnrun.config.settings import flatten
from nnrun.runs.catalog.summarize import settings_of
from nnrun.runs.catalog.summary import JsonMapping
from nnrun.runs.lifecycle import train
from nnrun.runs.preparation.prepare import prepare
from nnrun.runs.record import setting

DATA = "size,town,price\n" + "".join(f"{n},{'AB'[n % 2]},{3 * n}\n" for n in range(40))
TODAY = """\
name: houses
dataset: {path: houses.csv, columns: {target: price, categorical: [town]}, features: standard}
network: {sizes: [2, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.05, epochs: 2, batch_size: 8}
"""


@pytest.fixture
def read(tmp_path):
    """Reads the text of a config: prepared, and as it is written."""
    (tmp_path / "houses.csv").write_text(DATA)

    def load(text, *overrides):
        (tmp_path / "houses.yaml").write_text(text)
        experiment = load_config(tmp_path / "houses.yaml", overrides)
        return prepare(experiment), experiment.source.data

    return load


def test_a_watched_run_is_of_the_same_setting(read):
    """Its numbers are those of a run that is not watched."""
    plain, watched = (
        train(read(TODAY, f"training.watch={word}")[0], None).result.record
        for word in ("false", "true")
    )
    assert dict(settings_of(plain)) == dict(settings_of(watched))


@pytest.mark.parametrize(
    "words",
    [[], ["dataset.columns.categorical=[]", "dataset.columns.drop=[town]"], ["dataset.folds=3"]],
)
def test_a_config_of_today_has_all_keys(read, words):
    """Lists are filtered by all of them, those with their default included."""
    prepared, _ = read(TODAY, *words)
    record = train(prepared, None).result.record
    written = {k for k in flatten(setting(record.config)) if not changes_nothing(k)}
    assert written - {"dataset.path"} | {"dataset.sha256"} == settings_of(record).keys()


def test_settings_with_the_same_keys_share_them():
    """Of 20,000 settings the keys would take more memory than the values."""
    one, other = (JsonMapping(f'{{"training.epochs": {n}, "loss": "huber"}}') for n in (1, 2))
    assert {"training.epochs": 2, "loss": "huber"} == other.plain
    assert all(a is b for a, b in zip(one, other, strict=True))
