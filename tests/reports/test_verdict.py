"""What is said first of boards and runs."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest

import nnrun
from nnrun.reports.board_verdict import board_data, board_verdict, groups_verdict
from nnrun.reports.html.overview import Placed
from nnrun.reports.row_names import Names
from nnrun.reports.run_verdict import kind_words, run_verdict, summary_verdict
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.record import Identity
from nnrun.runs.storage.progress import RunProgress
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.sweeps.board.published import Shown
from nnrun.sweeps.board.rows import with_margin
from tests.sweeps.board.boards import named, progress, score

KINDS = re.compile(r'Diagnostic\(\s*"([a-z_]+)"')


def scores(level, seeds=5, step=0.01, **changes):
    """Of seeds that differ in two ways, so that differences of rows vary from seed to seed."""
    steps = (s % 2 + level * (s % 3) for s in range(seeds))
    return [score(s, level + step * more, **changes) for s, more in enumerate(steps)]


def rate(value, **changes):
    settings = {"choice": {"training.learning_rate": value}, "seeds": range(5)}
    return named("digits", **{**settings, **changes})


def listed(*percent):
    return [score(s, each / 100) for s, each in enumerate(percent)]


def board(*members):
    return make_leaderboard(progress(*members), "nnrun sweep digits.yaml")


def said(*members, **also):
    return [str(line) for line in groups_verdict(board(*members).groups, also).lines]


LOST = [score(s, None, None, status="diverged") for s in range(5)]
MEMBERS = {
    "chosen": [
        (rate(0.1, published={"test_accuracy": 0.95}), scores(0.9)),
        (rate(0.01), scores(0.7)),
        (rate(5), [*scores(0.5)[:3], *LOST[3:]]),
    ],
    "tied": [
        (rate(0.1), listed(90, 92, 91, 90, 92)),
        (rate(0.01), listed(91, 90, 92, 90, 90)),
        (rate(1), scores(0.5)),
    ],
    "either": [(rate(0.1), listed(90, 92, 91, 90, 92)), (rate(0.01), listed(91, 90, 92, 90, 90))],
    "seeds decide": [
        (rate(0.1), listed(90, 93, 91, 90, 93)),
        (rate(0.01), listed(90, 90, 91, 89, 92)),
    ],
    "equal": [(rate(0.1), scores(0.9)), (rate(0.01), scores(0.9))],
    "a single run first": [
        (rate(1, seeds=range(1)), listed(93)),
        (rate(0.1), listed(90, 92, 91, 90, 92)),
        (rate(0.01), listed(91, 90, 92, 90, 90)),
    ],
    "a single run and five": [(rate(0.1), scores(0.9)), (rate(0.01, seeds=range(1)), listed(89))],
    "other seeds": [
        (rate(0.1, seeds=range(3)), listed(95, 95, 95)),
        (rate(0.01, seeds=range(3)), listed(95, 95, 95)),
        (rate(1, seeds=range(6)), listed(95, 96, 95, 94, 94, 94)),
    ],
    "single runs": [(replace(rate(r), seeds=[0]), scores(r, 1)) for r in (0.5, 0.7)],
    "equal single runs": [
        (replace(rate(r), seeds=[0]), scores(level, 1))
        for r, level in ((0.1, 0.7), (0.2, 0.7), (0.3, 0.7), (0.4, 0.5))
    ],
    "one config": [(named("digits", seeds=range(5)), scores(0.9))],
    "one run": [(named("digits", seeds=[0]), scores(0.9, 1))],
    "all diverged": [(rate(5), LOST), (rate(6), LOST)],
    "one left": [(rate(0.1), scores(0.9)), (rate(5), LOST)],
    "no better": [(named("digits", seeds=range(5)), scores(0.19))],
    "hardly better": [(named("digits", seeds=range(5)), scores(0.196))],
    "worse than a season before": [
        (rate(r), [s._replace(naive={"1": (0, 0, 0.4), "24": (0, 0, 0.99)}) for s in scores(level)])
        for r, level in ((0.1, 0.9), (5, 0.5))
    ],
    "train alone": [
        (rate(r, splits=("train",)), [score(s, None, r + s / 99) for s in range(5)])
        for r in (0.5, 0.8)
    ],
    "validation": [
        (
            rate(r, splits=("train", "validation", "test")),
            [score(s, r - 0.1, validation=r + s / 99) for s in range(5)],
        )
        for r in (0.5, 0.8)
    ],
    "warnings": [
        (rate(1e-9), scores(0.3, warning="hardly_moved")),
        (rate(0.1), [*scores(0.9, 1, warning="duplicates"), *scores(0.9)[1:]]),
    ],
    "unlike data": [
        (named("digits", seeds=range(5)), scores(0.9)),
        (named("iris", seeds=range(5), dataset="iris", sha256="2"), scores(0.8)),
    ],
    "folds": [
        (
            rate(r, folds=5, seeds=[0], identities=dict.fromkeys(range(5), Identity(""))),
            [score(0, r + fold / 99)._replace(fold=fold) for fold in range(5)],
        )
        for r in (0.5, 0.8)
    ],
    "crossed seeds": [
        (
            rate(r, seeds=range(3), split_seeds=range(3)),
            [
                score(s, r + s / 300 + split / 200)._replace(split_seed=split)
                for s in range(3)
                for split in range(3)
            ],
        )
        for r in (0.5, 0.8)
    ],
}


def test_each_kind_of_board_has_its_lines():
    """A best row is named where all others can be dropped, and else what would decide; lines are
    recorded as the screens of `test_screens.py` are.
    """
    cases = {case: said(*members) for case, members in MEMBERS.items()}
    text = "\n".join(
        "".join(f"{line}\n" for line in (case, *(f"    {line}" for line in lines)))
        for case, lines in cases.items()
    )
    file = Path(__file__).parent / "screens" / "verdicts.txt"
    if os.environ.get("NNRUN_RECORD"):
        file.write_text(text, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text


def without_numbers(seeds=5):
    return [score(s, None, None) for s in range(seeds)]


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], "No result: no run has a finite accuracy."),
        ([(rate(1), scores(0.5))], "no other setting has a finite accuracy."),
    ],
)
def test_rows_without_a_number_are_neither_best_nor_dropped(others, expected):
    """Their runs have completed, and their metric is undefined."""
    lines = said(*others, (rate(0.1), without_numbers()), (rate(0.01), without_numbers()))

    assert any(line.endswith(expected) for line in lines), lines
    assert not any("dropped" in line for line in lines)


def test_boards_of_the_same_data_are_told_apart():
    """By their experiments, which have a line each; of many boards, the first six have one."""
    members = [
        (named(f"first{k}", seeds=range(5), dataset="iris", sha256=str(k)), scores(0.8))
        for k in range(8)
    ]
    lines = said(*members)
    assert [f"first{k} on iris" for k in range(6)] == [line.partition(":")[0] for line in lines[:6]]
    assert "Others: 2 more boards." == lines[6]


def test_boards_of_one_experiment_are_told_apart_by_their_splits():
    """Such as the last comparison of a search, and the test of its winner."""
    kinds = [("train", "validation"), ("train", "validation", "test")]
    members = [
        (
            named("found", seeds=range(5), splits=kind),
            [score(s, 0.9 if "test" in kind else None, validation=0.9) for s in range(5)],
        )
        for kind in kinds
    ]
    leads = [line.partition(":")[0] for line in said(*members)]
    assert [f"found on digits ({', '.join(kind)})" for kind in kinds] == leads[:2]


def test_runs_to_come_and_runs_on_no_row_are_counted():
    """A best row is the best so far, and damaged runs are a problem; no more runs are advised."""
    lines = said(*MEMBERS["chosen"], running=2, queued=1, damaged=3)
    assert lines[0].startswith("Best so far: learning rate 0.1, test accuracy 0.9")
    assert "Others: the other 2 can be dropped; still to come: 2 running and 1 queued." == lines[1]
    assert lines[2].endswith("; 3 runs are damaged.")
    waits = "Others: one run each shows no certain difference; still to come: 1 queued."
    assert waits == said(*MEMBERS["single runs"], queued=1)[1]
    assert ["No result: no run has completed yet.", "Others: still to come: 4 queued."] == [
        str(line) for line in groups_verdict([], {"queued": 4}).lines
    ]


@pytest.mark.parametrize("sign", [1, -1], ids=["accuracy", "error"])
@pytest.mark.parametrize(
    ("least", "drops"),
    [(0.3, "20 seeds might remove 1; "), (0.5, "")],
    ids=["far worse", "near"],
)
def test_where_no_seeds_tell_the_first_two_apart_they_may_drop_others(least, drops, sign):
    """What any number of seeds shows is about the first two, and others may be far worse."""
    (group,) = board(*MEMBERS["tied"]).groups
    rows = [replace(row, tied=True, difference=sign * row.difference) for row in group.rows]
    shown = Shown("2 seeds", 2.0, {"10 seeds": 0.6, "20 seeds": least}, 0.04)
    group = replace(group, rows=rows, shown=shown, larger_is_better=sign > 0)
    others = str(groups_verdict([group]).lines[1])
    data = "no number of seeds would tell the first two apart, more data might."
    assert others.endswith(f"none can be dropped; {drops}{data}")


def test_with_a_margin_the_cheapest_is_named():
    """Of those that are as good as the best to within it."""
    shown = board_verdict(with_margin(board(*MEMBERS["either"]), 0.1))
    good = "learning rate 0.1, learning rate 0.01, the cheapest learning rate 0.1."
    assert str(shown.others).endswith(f"as good as the best to within 0.1: {good}")


def test_a_row_of_long_settings_is_named_by_those_that_no_other_row_has():
    """As few of many as tell it from all others."""
    keys = ["batch_size", "learning_rate", "optimizer.momentum", "optimizer.weight_decay"]
    rows = [(16, 0.0908, 0.9345, 1.9e-6), (16, 0.061, 0.7772, 3e-6), (16, 0.061, 0.6646, 2e-6)]
    choices = [dict(zip((f"training.{key}" for key in keys), [*row], strict=True)) for row in rows]
    for number, choice in enumerate(choices):
        choice["network.initializer"] = {"type": "uniform", "scale": number + 0.25}
    members = [
        (named("digits", choice=choice, seeds=range(5)), listed(90, 92, 91, 90, 92 - place))
        for place, choice in enumerate(choices)
    ]
    best, others = said(*members)[:2]
    assert "first is learning rate 0.0908, test" in best
    rows = [f"learning rate 0.061 · momentum {momentum}" for momentum in (0.7772, 0.6646)]
    assert f"{', '.join(rows)} may be as good" in others


def of_blocks(**others):
    """Four rows of two optimizers and two schedules."""
    rates = [{"schedule": kind, "initial": 0.1} for kind in ("cosine", "exponential")]
    shared = {"type": "adam", "beta2": 0.9, "epsilon": 1e-7}
    blocks = [shared | {"beta1": beta} for beta in (0.5, 0.75)]
    choices = [
        {"training.optimizer": block, "training.learning_rate": rate} | others
        for block, rate in product(blocks, rates)
    ]
    return [
        (named("digits", choice=choice, seeds=range(5)), listed(90, 92, 91, 90, 92 - place))
        for place, choice in enumerate(choices)
    ]


def test_rows_of_long_blocks_are_named_by_the_parts_that_differ():
    """Cut blocks would have one text in all rows."""
    best, others = said(*of_blocks())[:2]
    assert "first is beta1 0.5 · learning rate cosine(initial=0.1), test" in best
    assert "Others: beta1 0.5 · learning rate exponential(initial=0.1) and 2 more" in others


def test_names_side_by_side_have_one_form():
    """That of parts where one is too long otherwise, as in legends of curves."""
    sgd = {"type": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}
    cosine = {"schedule": "cosine", "initial": 0.1}
    steps = [{"schedule": "step", "initial": 0.1, "every": every} for every in (30, 50)]
    values = ("adam", cosine), ("adam", steps[0]), (sgd, steps[1])
    keys = "training.optimizer", "training.learning_rate"
    choices = [dict(zip(keys, both, strict=True)) for both in values]
    members = [
        (named("digits", choice=choice, seeds=range(2)), listed(90, 91)) for choice in choices
    ]
    (group,) = board(*members).groups
    names = Names(group.rows)
    by_place = sorted(group.rows, key=lambda row: choices.index(row.choice))
    assert [
        "optimizer adam · learning rate cosine(initial=0.1)",
        "optimizer adam · learning rate step(initial=0.1, every=30)",
        "optimizer sgd(momentum=0.9, nesterov=true, weight_decay=0.01)",
    ] == names.each(by_place)


def test_what_is_cut_has_its_place_on_the_board():
    """Names that are too long even by their parts; that of the first row has three lines."""

    def named_by(length):
        return [
            (replace(variant, choice={"dataset.columns.drop": ["a" * length, str(place)]}), scores)
            for place, (variant, scores) in enumerate(of_blocks())
        ]

    whole, others = said(*named_by(200))[:2]
    assert f"first is drop [{'a' * 200}, " in whole
    assert "… (row 2)" in others
    best, others = said(*named_by(300))[:2]
    names = re.findall(r"drop \[?a*.*?(… [^ ]* [0-9]\))", best + others)
    assert ["… (row 1)", "… (row 2)"] == names


def test_json_has_the_lines():
    """Beside everything else of a board, with null for what is not said."""
    data = board_data(board(*MEMBERS["one config"]))["verdict"]
    assert {"best": said(*MEMBERS["one config"])[0], "others": None, "wrong": None} == data


def test_a_run_has_its_number_beside_baseline_and_published(regression):
    """On the last split; and that a single run shows no spread."""
    assert [
        "Result: test mse 25.00; baseline 81.00, published 20 (+5.0).",
        "Others: a single run shows no spread; nnrun sweep tries other seeds.",
    ] == [str(line) for line in run_verdict(regression).lines]


@pytest.mark.parametrize(
    ("kind", "row", "at", "expected"),
    [
        ("chosen", 0, 2, "; better than learning rate 0.01 by 0.20 [0, 0."),
        ("chosen", 1, 0, "; learning rate 0.1 is better by 0.2"),
        ("tied", 0, 0, "; no certain difference to learning rate 0.01: better by 0.0"),
        ("tied", 1, 4, "; no certain difference to learning rate 0.1: worse by 0.0"),
    ],
)
def test_a_run_has_its_place_among_its_siblings(kind, row, at, expected):
    """By the split that decides; its setting beside the best of the others, as on the board."""
    (group,) = board(*MEMBERS[kind]).groups
    runs = [run._replace(run_id=f"s{run.seed}") for run in MEMBERS[kind][row][1]]
    ordered = sorted(runs, key=lambda run: (-run.by_split[2], run.seed))
    place = ["best", "number 2", "median", "number 4", "last"][ordered.index(runs[at])]
    standing = SimpleNamespace(row=group.rows[row], scores=runs)
    names, stored = Names(group.rows), SimpleNamespace(group=group)
    found = Placed(f"digits/s{at}", (0, row, at), stored, standing, names).words
    assert found.startswith(f"{place} of 5 seeds by test accuracy, whose mean is 0.")
    assert expected in found


def test_a_run_whose_number_is_undefined_has_the_reason(regression):
    """In place of its result."""
    metrics = regression.metrics["test"] | {"mse": None, "undefined": {"mse": "it is too large"}}
    lost = replace(regression, metrics={**regression.metrics, "test": metrics})
    assert "No result: the test mse is undefined: it is too large." == str(run_verdict(lost).best)


def test_what_is_wrong_with_a_run_is_said_in_short(regression):
    """Its first warning, with a split other than the result's; or how it ended, and why."""
    warnings = [{"kind": "hardly_moved", "message": "m"}, {"kind": "learning_rate", "message": "m"}]
    warned = run_verdict(replace(regression, warnings=warnings))
    assert "Problems: it did not learn; 2 warnings say why." == str(warned.wrong)
    below = {"kind": "worse_than_baseline", "message": "worse than the mean, on validation data"}
    dataset = {**regression.dataset, "n_validation": 9}
    worse = run_verdict(replace(regression, dataset=dataset, warnings=[below]))
    assert "Problems: it ended worse than the baseline on validation data." == str(worse.wrong)
    lost = replace(
        regression,
        status="diverged",
        warnings=warnings[1:],
        metrics=dict.fromkeys(("train", "validation", "test")),
    )
    assert [
        "No result: the run diverged.",
        "Problems: the likeliest cause: learning rate.",
    ] == [str(line) for line in run_verdict(lost).lines]


def test_what_is_wrong_with_the_data_comes_before_what_a_network_did(regression):
    """If it makes the result mean nothing; else after it."""
    for kind, first in (
        ("leak", "it used a column that gives the target away"),
        ("constant_column", "it did not learn"),
    ):
        warnings = [{"kind": each, "message": "m"} for each in (kind, "hardly_moved")]
        warned = run_verdict(replace(regression, warnings=warnings))
        assert f"Problems: {first}; 2 warnings say why." == str(warned.wrong)


def test_a_board_says_once_what_is_wrong_with_the_data():
    """Before the warnings of networks, the worst first, however many runs have it."""
    about = "constant_column: one has one value\nleak: a is almost 3 × b"
    scores = [score(s, 0.5 + s / 10, warning="dead_units", about_data=about) for s in range(3)]
    text = str(groups_verdict(board((named("x"), scores), (named("y"), scores)).groups).wrong)
    start = "Problems: a is almost 3 × b; one has one value; "
    assert text.startswith(start)
    assert text.endswith("all 6 runs had units that say nothing.")
    assert 1 == text.count("almost")


def test_a_run_without_a_report_says_how_far_it_is():
    """In progress, waiting, or not to be read."""
    at = RunProgress(300, 1000, 1.0, None, None, [], 1, None, None, None, "", 2)
    runs = [
        RunSummary("a", "s1-0123456789", "running", progress=at),
        RunSummary("a", "s1-0123456789", "queued"),
        RunSummary("a", "s1-0123456789", "damaged", error="it is no JSON"),
    ]
    assert [
        "No result yet: it is at iteration 300 of 1,000.",
        "No result yet: it waits in a sweep.",
        "No result: the run is damaged: it is no JSON.",
    ] == [str(summary_verdict(run).best) for run in runs]


def test_every_kind_of_warning_has_words():
    """Those of the diagnosis, and of all else that warns."""
    source = Path(nnrun.__file__).parent / "runs"
    kinds = {kind for file in source.rglob("*.py") for kind in KINDS.findall(file.read_text())}
    assert len(kinds) > 20
    assert [] == [kind for kind in sorted(kinds) if kind_words(kind).startswith("had a warning:")]
