"""Leaderboards, their versions, and published ones."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_ind_from_stats

import nnrun
from nnrun.data.builtin.registry import DATASETS
from nnrun.errors import DamageError, UsageError
from nnrun.reports.leaderboard_files import (
    leaderboard_csv,
    leaderboard_files,
    leaderboard_markdown,
    read_leaderboard,
    replication_markdown,
)
from nnrun.runs.storage.sealed import sealed_json
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.sweeps.board.means import summarize
from nnrun.sweeps.board.published import Reference, holm, read_references, replications, welch_p
from nnrun.sweeps.board.rows import Leaderboard, read_board
from tests.lab import invoke, invoke_well
from tests.sweeps.board.boards import VARIANT, named, progress, score

# The leaderboard: what is compared with what, by which split, and how it is shown.

BOSTON = """
dataset: {name: boston, features: standard, target: standard}
network: {sizes: [1], activations: [linear]}
loss: mean_squared
training: {learning_rate: 0.001, iterations: 20, engine: numpy}
"""


def order(board):
    return [[row.name for row in group.rows] for group in board.groups]


def test_a_row_has_the_numbers_of_its_runs():
    """Mean, spread, best seed, baseline and time over the seeds."""
    board = make_leaderboard(
        progress((VARIANT, [score(0, 0.5), score(1, 0.7), score(2, 0.6)])), "nnrun sweep a.yaml"
    )
    (row,) = board.groups[0].rows
    assert (1, 3, 3, 0, 0) == (row.rank, row.runs, row.completed, row.diverged, row.failed)
    assert 0.6 == pytest.approx(row.test.mean)
    assert 0.1 == pytest.approx(row.test.sd)
    assert 0.6 - 4.302653 * 0.1 / 3**0.5 == pytest.approx(row.test.ci_low, rel=1e-6)
    assert 0.9 == pytest.approx(row.train.mean)
    assert (1, 2.0) == (row.best_seed, row.seconds)
    assert 0.2 == pytest.approx(row.baseline)
    assert "test" == board.groups[0].ordered_by


def test_the_order_is_by_the_metrics_own_direction():
    """The largest accuracy is the best, and the smallest error."""
    low, high = [score(s, 0.1) for s in range(3)], [score(s, 0.9) for s in range(3)]
    accuracy = make_leaderboard(progress((named("low"), low), (named("high"), high)), "")
    assert [["high", "low"]] == order(accuracy)
    error = {"metric": "mse", "larger_is_better": False}
    mse = make_leaderboard(
        progress((named("high", **error), high), (named("low", **error), low)), ""
    )
    assert [["low", "high"]] == order(mse)
    assert 0 == mse.groups[0].rows[0].best_seed


def test_validation_decides_where_there_is_one():
    """The row that is best on the test split does not win by it."""
    chosen = [score(s, 0.5, validation=0.9) for s in range(3)]
    lucky = [score(s, 0.9, validation=0.5) for s in range(3)]
    three = {"splits": ("train", "validation", "test")}
    board = make_leaderboard(
        progress((named("lucky", **three), lucky), (named("chosen", **three), chosen)), ""
    )
    assert [["chosen", "lucky"]] == order(board)
    assert "validation" == board.groups[0].ordered_by
    assert "quote the test number of the first row as it is" in leaderboard_markdown(board)
    plain = [score(s, 0.1) for s in range(3)]
    without = make_leaderboard(progress((named("lucky"), lucky), (named("plain"), plain)), "")
    assert "test" == without.groups[0].ordered_by
    assert "is too good" in leaderboard_markdown(without)


def test_rows_with_other_splits_have_a_table_of_their_own():
    """One row without a test split does not have all others ordered by the training split."""
    blind = named("blind", splits=("train",))
    scores = [score(s, 0.5) for s in range(3)]
    board = make_leaderboard(
        progress((named("a"), scores), (blind, [score(0, None)]), (named("b"), scores)), ""
    )
    assert [["a", "b"], ["blind"]] == order(board)
    assert ["test", "train"] == [group.ordered_by for group in board.groups]


def test_ties_are_decided_by_the_common_seeds():
    """Noise around the same level is a tie; a shift that every seed shares is none."""
    levels = [0.5, 0.7, 0.6, 0.8, 0.4]
    variant = {"seeds": range(5)}
    best = [score(s, value + 0.01) for s, value in enumerate(levels)]
    noisy = [score(s, value) for s, value in enumerate([0.7, 0.5, 0.8, 0.6, 0.399])]
    shifted = [score(s, value - 0.001 * s) for s, value in enumerate(levels)]
    board = make_leaderboard(
        progress(
            (named("shifted", **variant), shifted),
            (named("best", **variant), best),
            (named("noisy", **variant), noisy),
        ),
        "",
    )
    assert [["best", "noisy", "shifted"]] == order(board)
    assert [True, True, False] == [row.tied for row in board.groups[0].rows]
    first, second, third = board.groups[0].rows
    assert first.p == second.p == 1.0 or second.p > 0.05
    assert third.p < 0.05


def test_rows_with_diverged_runs_stand_by_the_others():
    """By the runs that are left, and they say so; rows without any completed run come last."""
    sound = [score(s, 0.5) for s in range(3)]
    lucky = [score(0, 0.5), score(1, 0.9), score(2, None, None, status="diverged")]
    board = make_leaderboard(progress((named("sound"), sound), (named("lucky"), lucky)), "")
    assert [["lucky", "sound"]] == order(board)
    first = board.groups[0].rows[0]
    assert (1, 2, "1 of 3 runs diverged") == (first.rank, first.completed, first.note)
    assert "Numbers are without diverged runs" in leaderboard_markdown(board)
    broken = named("broken")
    with_broken = make_leaderboard(progress((broken, []), (named("lucky"), lucky)), "")
    assert [["lucky", "broken"]] == order(with_broken)
    assert [(1, True), (None, False)] == [(r.rank, r.tied) for r in with_broken.groups[0].rows]


@pytest.mark.parametrize("names", ["a", "ab", "abc"])
def test_that_a_single_run_shows_no_spread_is_said_once(names):
    """Of one row or of several."""
    rows = [(named(name, seeds=[1]), [score(1, 0.5)]) for name in names]
    text = leaderboard_markdown(make_leaderboard(progress(*rows), ""))
    assert 1 == text.count("no spread")


def test_what_cannot_be_compared_is_kept_apart():
    """Another data set is another table."""
    board = make_leaderboard(
        progress(
            (named("a"), [score(0, 0.5)]),
            (named("b", sha256="2", dataset="iris"), [score(0, 0.9)]),
            (named("c"), [score(0, 0.6)]),
        ),
        "",
    )
    assert [["c", "a"], ["b"]] == order(board)
    assert ["digits", "iris"] == [group.dataset for group in board.groups]


def test_other_targets_are_other_problems():
    """Errors of two columns of one file are not compared, and the table says which is which."""
    rows = [(named(t, target=t, metric="mse"), [score(0, 0.5)]) for t in ("price", "rooms")]
    board = make_leaderboard(progress(*rows), "")
    assert [["price"], ["rooms"]] == order(board)
    assert "## digits: mse of rooms, ordered by the test split" in leaderboard_markdown(board)


def test_runs_that_did_not_complete_are_counted():
    """They have no numbers, but the row says how many they are; without any run, it is last."""
    diverged = [score(s, None, None, status="diverged") for s in range(3)]
    mixed = [score(0, 0.1), score(1, None, None, status="diverged")]
    board = make_leaderboard(progress((named("wild"), diverged), (named("mixed"), mixed)), "")
    assert [["mixed", "wild"]] == order(board)
    first, last = board.groups[0].rows
    assert (1, 1, 1, 1) == (first.rank, first.completed, first.diverged, first.failed)
    assert (None, 0, 3, None) == (last.rank, last.completed, last.diverged, last.test)
    assert "1 of 3" in leaderboard_markdown(board)


def test_the_files_say_the_same():
    """CSV and JSON have every number in full, and the JSON can be read back."""
    variant = named("a", choice={"training.learning_rate": 0.1})
    board = make_leaderboard(progress((variant, [score(0, 0.25), score(1, 0.5)])), "nnrun sweep x")
    (row,) = csv.DictReader(io.StringIO(leaderboard_csv(board)))
    assert 0.375 == float(row["test_mean"])
    assert {"training.learning_rate": 0.1} == json.loads(row["choice"])
    assert "" == row["validation_mean"]
    found = board.groups[0].rows[0]
    for key in ("mean", "sd", "ci_low", "ci_high"):
        assert getattr(found, key) == getattr(found.test, key) == float(row[key])
        assert getattr(found, key) == float(row[f"test_{key}"])
    files = leaderboard_files(board)
    own = f"leaderboard-{board.key}.json"
    assert {"leaderboard.csv", "leaderboard.json", "leaderboard.md", own} == set(files)
    assert files[own] == files["leaderboard.json"]
    assert board == Leaderboard.from_dict(json.loads(files["leaderboard.json"]))
    assert (
        "1 | a · learning rate 0.1 | 0.38 ± 0.62 | 0.18 | 2 of 3, 1 failed |"
        in files["leaderboard.md"].decode()
    )
    assert b"```sh\nnnrun sweep x\n```" in files["leaderboard.md"]


def test_runs_with_warnings_are_counted():
    """In the row, in the files, and in a note that names the rows; diverged runs apart."""
    scores = [score(0, 0.5), *(score(s, 0.3, warning="leak") for s in (1, 2))]
    lost = score(3, None, None, status="diverged", warning="leak")
    board = make_leaderboard(progress((named("a", seeds=range(4)), [*scores, lost])), "")
    assert 2 == board.groups[0].rows[0].warned
    assert "2" == next(csv.DictReader(io.StringIO(leaderboard_csv(board))))["warned"]
    assert "Runs with warnings: a (2 of 3)." in leaderboard_markdown(board)
    good = make_leaderboard(progress((VARIANT, scores[:1])), "")
    assert "warnings" not in leaderboard_markdown(good)


def test_long_settings_are_said_once():
    """Those of all rows above the table, and notes name rows by those that tell them apart."""
    keys = [f"training.setting_{number}" for number in range(8)]
    choices = [dict.fromkeys(keys, place) | {"network.depth": 2} for place in range(3)]
    scores = [[score(s, 0.5 + s / 10, warning="leak") for s in (0, 1)]] * 2
    clean = [score(s, 0.6 + s / 10) for s in (0, 1)]
    members = zip(choices, [*scores, clean], strict=True)
    board = make_leaderboard(progress(*((named("a", choice=c), found) for c, found in members)), "")
    text = leaderboard_markdown(board)
    assert "depth 2.\n" in text
    assert 1 == text.count("depth 2")
    assert "Runs with warnings: setting 0 0 (2 of 2), setting 0 1 (2 of 2)." in text
    every = make_leaderboard(progress((named("a"), scores[0]), (named("b"), scores[0])), "")
    assert "Runs with warnings: all 4." in leaderboard_markdown(every)


def test_a_split_without_numbers_has_no_column():
    """A search that hides the test split leaves its column out."""
    variant = named("a", splits=("train", "validation", "test"))
    board = make_leaderboard(progress((variant, [score(0, None, validation=0.5)])), "")
    text = leaderboard_markdown(board)
    assert [True, True, False] == [f" {s} ± 95% " in text for s in ("validation", "train", "test")]


def test_replication_holds_published_numbers_against_the_range():
    """Inside and outside, and configs without a published number beside them."""
    published = {"train_accuracy": 0.95, "test_accuracy": 0.4}
    known = named("known", published=published)
    # Ours for the published numbers, ordered by name: test_accuracy, train_accuracy.
    scores = [
        score(s, test, train, published=(test, train))
        for s, (test, train) in enumerate([(0.5, 0.9), (0.6, 1.0), (0.7, 0.9)])
    ]
    rows = replications(progress((known, scores), (named("lost"), [score(0, 0.5)])))
    found = {(row.label, row.metric): row for row in rows}
    assert True is found["known", "train_accuracy"].inside
    assert 0.95 == found["known", "train_accuracy"].published
    assert False is found["known", "test_accuracy"].inside
    assert (0.5, 0.7) == (
        found["known", "test_accuracy"].ours.minimum,
        found["known", "test_accuracy"].ours.maximum,
    )
    assert found["lost", "test_accuracy"].inside is None
    text = replication_markdown(rows, "nnrun sweep x --replication")
    ours = "0.6000 | 0.1000 | 0.5000 – 0.7000"
    assert f"| known | test accuracy | 3 | {ours} | 0.4 | **no** |" in text
    assert "1 of 2 published numbers lie inside." in text


def test_every_form_of_a_board_has_the_note_of_its_data(tmp_path, monkeypatch):
    """In full in Markdown, JSON and a notebook; its first sentence on the screen."""
    monkeypatch.chdir(tmp_path)
    note = DATASETS["boston"].note
    Path("a.yaml").write_text(BOSTON)
    invoke_well("sweep", "a.yaml", "--seeds", "2", "-j", "1", "-q")
    assert f"\n\nboston: {note}\n" in Path("results/leaderboard.md").read_text()
    content = json.loads(Path("results/leaderboard.json").read_text())
    assert note == content["groups"][0]["data_note"]
    assert f"boston: {note}" in nnrun.sweep("a.yaml", seeds=2, jobs=1)._repr_html_()
    shown = invoke("ls", "--leaderboard", COLUMNS="300").said
    assert note.partition(". ")[0] + ". (`nnrun datasets boston` says more.)" in shown
    assert f"boston: {note}" in leaderboard_markdown(read_leaderboard(Path("results")))
    invoke_well("train", "a.yaml", "training.learning_rate=0.002")
    runs = ["compare", *map(str, sorted(Path("results/a").iterdir()))]
    compared = invoke(*runs, COLUMNS="300").said
    assert "(`nnrun datasets boston` says more.)" in compared


# Leaderboards of another version of nnrun.


def test_a_leaderboard_of_another_version_is_not_read(tmp_path):
    """The message says so, and what makes it anew."""
    file, board = tmp_path / "leaderboard.json", Leaderboard("nnrun sweep a.yaml", [])
    content = board.to_dict()
    file.write_bytes(sealed_json(content))
    assert board == read_board(file)
    file.write_bytes(sealed_json({**content, "schema_version": 2}))
    with pytest.raises(DamageError, match=r"of another version of nnrun.*writes it anew"):
        read_board(file)


# Means from elsewhere: how they are read, and how ours are held against them.

HEADER = "experiment,metric,mean,sd,n,source\n"


def test_welch_is_as_scipy_has_it():
    """For summaries of both sides; for one run alone there is nothing to say."""
    values = [1.0, 1.5, 0.7, 1.1]
    expected = ttest_ind_from_stats(
        np.mean(values), np.std(values, ddof=1), 4, 1.4, 0.3, 50, equal_var=False
    ).pvalue
    reference = Reference(1.4, 0.3, 50, "")
    assert welch_p(summarize(values), reference) == pytest.approx(expected, rel=1e-12)
    assert None is welch_p(summarize([1.0]), reference)
    equal = Reference(1.0, 0.0, 9, "")
    assert (1.0, 0.0) == (welch_p(summarize([1, 1]), equal), welch_p(summarize([2, 2]), equal))


def test_holm():
    """The smallest times their number, the next times one less, and never below one before."""
    assert [0.03, 0.04, 0.04] == pytest.approx(holm([0.01, 0.04, 0.02]))
    assert [0.9, 0.6] == pytest.approx(holm([0.9, 0.3]))
    assert [1.0, 1.0] == holm([0.8, 0.7])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n", ":1: the columns must be experiment,metric,mean,sd,n,source"),
        (HEADER + "a,test_mse,1,2,3,x\nb,test_mse,one,2,3,x\n", ":3: mean and sd must be finite"),
        (HEADER + "a,test_mse,1,2,1,x\n", ":2: mean and sd"),
        (HEADER + "a,test_mse,1\n", ":2: mean and sd"),
        (HEADER + "a,test_mse,nan,2,3,x\n", ":2: mean and sd"),
    ],
)
def test_a_file_that_is_no_reference_is_reported_by_its_line(tmp_path, text, said):
    """Before anything is trained."""
    path = tmp_path / "reference.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"mean and sd|columns") as error:
        read_references(path)
    assert str(error.value).startswith(f"{path}{said}")


def test_means_that_differ_are_marked_and_explained():
    """Beside those that do not; the adjustment counts the rows that were compared."""
    scores = [score(s, test, 0.9) for s, test in enumerate([0.5, 0.6, 0.7])]
    references = {
        ("a", "test_accuracy"): Reference(0.6, 0.1, 100, "a book"),
        ("b", "test_accuracy"): Reference(9.0, 0.1, 100, "a book"),
    }
    rows = replications(progress((named("a"), scores), (named("b"), scores)), references)
    found = {(row.label, row.metric): row for row in rows}
    assert (1.0, False) == (found["a", "test_accuracy"].p, found["a", "test_accuracy"].differs)
    assert found["b", "test_accuracy"].differs
    assert None is found["a", "train_accuracy"].p
    text = replication_markdown(rows, "nnrun sweep x")
    assert "1 of 2 means differ from the reference." in text
    assert "- b, test accuracy: our mean is 8.400 below that of the reference." in text
    assert "Source of the reference: a book." in text
    assert "| 9 (0.1, 100) | **" in text
