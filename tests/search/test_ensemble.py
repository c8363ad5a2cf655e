"""The ensemble of trials with which a search ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nnrun.models.load import load_model
from nnrun.search.ensemble import MOST, values_of_members
from tests.lab import invoke_well, write
from tests.search.helpers import config, content_of, search

OPTIONS = {
    "plain": {},
    "members": {"members": 3},
    "own rows": {"members": {"number": 4, "validation": "own"}},
}


@pytest.fixture(params=OPTIONS.values(), ids=[*OPTIONS])
def searched(request, tmp_path):
    """A search that has ended, with its content."""
    content = {**config(top=3), **request.param, "sweep": {"order_by": "log_loss"}}
    return search(content, tmp_path), content_of(tmp_path), tmp_path


def log_loss(probabilities, y):
    """The mean of -log p of the true classes."""
    return float(-np.log(probabilities[np.arange(len(y)), y]).mean())


def test_trials_are_chosen_greedily_with_repetition(tmp_path):
    """By an own few lines from the stored models and the rows that judged the trials."""
    state = search({**config(top=3), "sweep": {"order_by": "log_loss"}}, tmp_path)
    ranked = sorted((t for t in state.trials if t.value is not None), key=lambda t: t.value)
    outputs = []
    for trial in ranked[:15]:
        (run,) = trial.runs
        folder = tmp_path / run.key
        model, report = load_model(folder), json.loads((folder / "report.json").read_text())
        part = _validation(run)
        outputs.append(model.predict_proba(part.x))
        assert log_loss(outputs[-1], part.y) == pytest.approx(trial.value)
        assert report["metrics"]["validation"]["log_loss"] == pytest.approx(trial.value)
    chosen, best = [], (np.inf, [])
    for _ in range(MOST):
        values = [log_loss(np.mean([outputs[k] for k in [*chosen, n]], axis=0), part.y)
                  for n in range(len(outputs))]  # fmt: skip
        chosen.append(int(np.argmin(values)))
        best = min(best, (min(values), [*chosen]), key=lambda pair: pair[0])
    expected = ", ".join(str(ranked[at].number) for at in sorted(best[1]))
    (ensemble,) = (one for one in state.finalists if one.origin == "ensemble")
    assert f"trials {expected}" == ensemble.choice["members"]


def _validation(run):
    """The validation rows of a planned run."""
    from nnrun.config.load import resolved_config
    from nnrun.data.splits import load_dataset
    from nnrun.runs.preparation.prepare import prepare_again

    given = run.replicate.applied(resolved_config(run.variant.config))
    return prepare_again(given, load_dataset(given.dataset)).split.validation


def test_it_is_one_more_row_of_the_final_comparison(searched):
    """It is trained on the same fresh seeds as all others, where trials are better together."""
    state, content, _ = searched
    assert len(content["finalists"]) == len(content["board"]["rows"])
    assert 1 == len({len(one["run_ids"]) for one in content["finalists"]})
    for finalist in state.finalists:
        if finalist.origin == "ensemble":
            members = finalist.setting.config["members"]
            assert members["number"] >= max(2, state.plan.networks)
            assert members["settings"]


def test_where_it_wins_it_is_tested_and_printed_as_a_config(lab, monkeypatch):
    """The winner's config trains the run that was tested, to the same bits."""

    def ensemble_first(finalists, group):
        (found,) = (one for one in finalists if one.origin == "ensemble")
        run_ids = {f"iris/{run_id}" for run_id in found.run_ids}
        return found, next(row for row in group.rows if row.best_run in run_ids)

    monkeypatch.setattr("nnrun.search.search.winner_of", ensemble_first)
    state = search({**config(top=3), "sweep": {"order_by": "log_loss"}}, Path("results"))
    tested = state.test[1]
    stored = {run_id: json.loads(Path("results/iris", run_id, "report.json").read_text())
              for run_id in tested}  # fmt: skip
    report = stored[tested[0]]
    assert report["members"]["number"] > 1
    write("again.yaml", json.dumps({**report["config"], "name": "again"}))
    invoke_well("train", "again.yaml", "-q")
    (again,) = Path("results/again").glob("*/report.json")
    assert report["weights_sha256"] == json.loads(again.read_text())["weights_sha256"]


@pytest.mark.parametrize(
    ("members", "number"), [(1, 3), (8, 8), ({"number": 2, "validation": "own"}, 3)]
)
def test_values_of_members_are_what_differs_from_the_first(members, number):
    """The first trial's values replace the config's; others say what they have instead."""
    first = {"training.learning_rate": 0.1, "training.batch_size": 8}
    other = {"training.learning_rate": 0.2, "training.batch_size": 8}
    values = values_of_members([first, first, other], members)
    assert first == {key: values[key] for key in first}
    assert [{}, {"training.learning_rate": 0.2}] == values["members"]["settings"]
    assert number == values["members"]["number"]
