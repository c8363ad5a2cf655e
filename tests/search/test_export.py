"""`nnrun search NAME --export FILE`: the trials as Optuna's own API reads them."""

from __future__ import annotations

import resource
import shutil
import signal
import warnings
from datetime import UTC, datetime
from unittest.mock import patch

import optuna
import pytest
import yaml
from optuna.distributions import CategoricalDistribution as Category
from optuna.distributions import FloatDistribution as Float
from optuna.distributions import IntDistribution as Int
from sqlalchemy.pool import NullPool

from nnrun.runs.storage.reading import load_history
from nnrun.runs.storage.sealed import sealed_json
from tests.lab import invoke, refused
from tests.search.helpers import IRIS, content_of, search

SPACE = {
    "training.learning_rate": {"log_uniform": [1e-3, 1]},
    "training.batch_size": {"choice": [8, 16, 4000]},
    "training.clip_norm": {"choice": [None, 1]},
    "network.depth": {
        "int": [1, 2],
        "units": {"int": [2, 8], "log": True},
        "dropout": {"uniform": [0, 0.5], "step": 0.25},
    },
    "training.optimizer": {
        "choice": ["sgd", {"type": "adam", "weight_decay": {"uniform": [0, 0.1]}}]
    },
}
OPTIONS = {
    "trials": 16,
    "window": 2,
    "pruning": "median",
    "random": False,
    "top": 1,
    "fresh_seeds": 2,
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """search.json of a search, its study, the folder of its runs, and the database."""
    root = tmp_path_factory.mktemp("exported")
    (root / "iris.yaml").write_text(yaml.safe_dump({**IRIS, "search": {**OPTIONS, **SPACE}}))
    with patch("nnrun.search.plan.check_space"):  # it refuses the batch of 4,000 rows
        search(root / "iris.yaml", root)
    words = ["search", "iris", "--export", str(root / "study.db"), "--results", str(root)]
    done = invoke(*words)
    assert (0, f"wrote {root}/study.db\n") == (done.code, done.err)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        storage = optuna.storages.RDBStorage(
            f"sqlite:///{root}/study.db", engine_kwargs={"poolclass": NullPool}
        )
        study = optuna.load_study(study_name="iris", storage=storage)
        yield content_of(root)["trials"], study, root / "iris", root / "study.db"


def of(status, exported):
    """The trials that ended so: those of search.json, each with Optuna's."""
    trials, study, *_ = exported
    found = [pair for pair in zip(trials, study.trials, strict=True) if pair[0]["status"] == status]
    assert found
    return found


def test_each_trial_is_there(exported):
    """With its number, its parameters and its runs, and the metric by its name."""
    trials, study, *_ = exported
    assert [trial["number"] for trial in trials] == [trial.number for trial in study.trials]
    assert [trial["params"] for trial in trials] == [trial.params for trial in study.trials]
    assert [t["run_ids"] for t in trials] == [t.user_attrs.get("run_ids", []) for t in study.trials]
    assert ["validation accuracy"] == study.metric_names
    assert optuna.study.StudyDirection.MAXIMIZE == study.direction


def test_completed_trials_have_their_values_and_curves(exported):
    """The value is that of the search; the curve is that of the run, to its end."""
    _, study, folder, _ = exported
    for trial, found in of("completed", exported):
        rows = load_history(folder / trial["run_ids"][0])
        curve = {row["iteration"]: row["validation_accuracy"] for row in rows}
        assert ("COMPLETE", trial["value"]) == (found.state.name, found.value)
        assert curve == found.intermediate_values
    assert max(trial["value"] for trial, _ in of("completed", exported)) == study.best_value


def test_pruned_trials_end_at_their_rung(exported):
    """Their curve ends there, with the value that ended them; they have no value."""
    for trial, found in of("pruned", exported):
        last = trial["curve"][-1]
        assert "PRUNED" == found.state.name
        assert (last["iteration"], last["value"]) == [*found.intermediate_values.items()][-1]


def test_failed_trials_say_why(exported):
    """The reason is an attribute of the trial."""
    for trial, found in of("failed", exported):
        assert ("FAIL", {}) == (found.state.name, found.intermediate_values)
        assert trial["reason"] == found.user_attrs["reason"]
        assert "4000" in trial["reason"]


def test_distributions_are_those_of_the_search(exported):
    """Ranges, scales, steps and options; conditional parameters only where they were drawn."""
    _, study, *_ = exported
    found = {}
    for trial in study.trials:
        found |= trial.distributions
        depth, adam = trial.params["network.depth"], trial.params["training.optimizer"] == "adam"
        assert (depth == 2) == ("network.depth.units.1" in trial.params)
        assert adam == ("training.optimizer.adam.weight_decay" in trial.params)
    assert {
        "training.learning_rate": Float(1e-3, 1, log=True),
        "training.batch_size": Category([8, 16, 4000]),
        "training.clip_norm": Category([None, 1]),
        "network.depth": Int(1, 2),
        "network.depth.dropout": Float(0, 0.5, step=0.25),
        "network.depth.units.0": Int(2, 8, log=True),
        "network.depth.units.1": Int(2, 8, log=True),
        "training.optimizer": Category(["sgd", "adam"]),
        "training.optimizer.adam.weight_decay": Float(0, 0.1),
    } == found


def test_trials_have_their_own_times(exported):
    """They began when their run began, in local time as Optuna has it, and last as long."""
    for trial, found in of("completed", exported):
        started = found.datetime_start.astimezone(UTC)
        assert datetime.fromisoformat(trial["started"]) == started
        assert trial["seconds"] == pytest.approx(found.duration.total_seconds(), abs=1e-5)


def test_a_full_disk_leaves_nothing(exported, tmp_path):
    """The error says so, and no part of a database stays."""
    *_, folder, _ = exported
    words = ["search", "iris", "--export", str(tmp_path / "x.db"), "--results", str(folder.parent)]
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limit[1]))
        done = invoke(*words)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert 1 == done.code
    assert f"{tmp_path}/x.db cannot be written: " in done.err
    assert [] == [*tmp_path.iterdir()]


def test_an_existing_file_stays(exported):
    """It is refused, whatever is in it."""
    *_, folder, file = exported
    before = file.read_bytes()
    words = ["search", "iris", "--export", str(file), "--results", str(folder.parent)]
    assert 2 == invoke(*words).code
    assert before == file.read_bytes()


@pytest.mark.parametrize(
    ("key", "value"),
    [("parameters", [{"name": "training.batch_size"}]), ("parameters", None), ("dataset", [])],
)
def test_a_damaged_search_is_said_to_be(exported, tmp_path, key, value):
    """Where search.json can be read but does not hold what it should; and nothing is left."""
    content = content_of(exported[-1].parent)
    (tmp_path / "iris").mkdir()
    (tmp_path / "iris/search.json").write_bytes(sealed_json({**content, key: value}))
    file = tmp_path / "study.db"
    words = ["search", "iris", "--export", str(file), "--results", str(tmp_path)]
    assert f"{tmp_path}/iris/search.json is damaged: it is not what nnrun writes" in refused(*words)
    assert ["iris"] == [path.name for path in tmp_path.iterdir()]


def test_a_changed_learning_curve_is_not_exported(exported, tmp_path):
    """It is said which, and nothing is left."""
    shutil.copytree(exported[-2], tmp_path / "results/iris")
    (run_id, *_) = exported[0][0]["run_ids"]
    curve = tmp_path / "results/iris" / run_id / "history.csv"
    curve.write_text(curve.read_text().replace("0.", "0.9"))
    words = ["search", "iris", "--export", str(tmp_path / "study.db")]
    assert f"{curve.parent} is damaged: history.csv is not the file that was written" in refused(
        *words, "--results", str(tmp_path / "results")
    )
    assert ["results"] == [path.name for path in tmp_path.iterdir()]
