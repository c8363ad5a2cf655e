"""Searches, boards and progress in the HTML report."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nnrun.reports.board_notes import choice_notes
from nnrun.reports.boards import board_titles
from nnrun.reports.document import Figures, Folded, Grid, Note
from nnrun.reports.html.overview import Found
from nnrun.reports.html.runs import in_progress
from nnrun.reports.html.searches import search_sections
from nnrun.runs.catalog.summary import RunSummary
from nnrun.runs.storage.progress import RunProgress
from nnrun.runs.storage.sealed import sealed_json
from nnrun.sweeps.board.best import Searches, searches_of
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.ui.watcher import table_of
from tests.sweeps.board.boards import named, progress, score

# The section about a search, from search.json alone.

RATE = {"name": "training.learning_rate", "kind": "range", "low": 0.001, "high": 1.0,
        "whole": False, "log": True, "step": None}  # fmt: skip
SIZE = {"name": "training.batch_size", "kind": "choice", "options": [8, None]}
DEPTH = {"name": "network.depth", "kind": "range", "low": 1, "high": 3, "whole": True,
         "log": False, "step": None}  # fmt: skip
VALUES = [0.5, None, 0.9, 0.7, 0.9]


def trial(number: int, value: float | None, depth: int | None = 2) -> dict[str, Any]:
    params = {"training.learning_rate": 0.002 * 10 ** (number / 2), "training.batch_size": None}
    if depth is not None:
        params["network.depth"] = depth
    status = "diverged" if value is None else "completed"
    return {"number": number, "params": params, "value": value, "status": status, "run_ids": []}


def content(**changes: Any) -> dict[str, Any]:
    trials = [trial(n, value, 1 + n % 3) for n, value in enumerate(VALUES)]
    return {
        "schema_version": 1, "judged_by": "validation", "metric": "accuracy", "sampler": "tpe",
        "larger_is_better": True, "status": "finished", "parameters": [RATE, SIZE, DEPTH],
        "trials": trials, "random": [trial(0, 0.6)], "winner": {"number": 2},
        "importance": {"network.depth": 0.3, "training.learning_rate": 0.7},
    } | changes  # fmt: skip


@pytest.fixture
def section():
    """The blocks of the section for a content of search.json; None where there is no section."""

    def make(found: Any) -> list[Any] | None:
        sections = [*search_sections(Searches(contents={"tuned": found}))]
        return [*sections[0].blocks] if sections else None

    return make


def test_the_course_and_what_matters(section):
    """Counts in words, the best so far, a map of the two parameters that matter, their shares."""
    note, figures, shares, slices, every = section(content())

    assert isinstance(note, Note)
    assert note.text.startswith("5 trials by tpe, and 1 at random beside them; 1 of them have no")
    assert isinstance(figures, Figures)
    course, plane = figures.charts
    assert ["0.5000", "0.5000", "0.9000", "0.9000", "0.9000"] == [r[2] for r in course.table.rows]
    assert ["0.6000", "–", "–", "–", "–"] == [row[3] for row in course.table.rows]
    assert "14 of 18 parts were never tried." in plane.alternative
    assert "0.9000" == plane.table.rows[2][3]
    assert isinstance(shares, Grid)
    assert [["training.learning_rate", "70%"], ["network.depth", "30%"]] == shares.words
    assert isinstance(slices, Folded)
    titles = [chart.title for chart in slices.blocks[0].charts]
    assert ["Against learning_rate", "Against depth", "Against batch_size"] == titles
    (whole,) = every.blocks[0].charts
    assert ["learning_rate", "depth", "batch_size", "validation accuracy"] == whole.table.header


def test_charts_of_many_trials_say_what_they_leave_out(section, monkeypatch):
    """Counts and the best are those of all trials, also where few are drawn."""
    monkeypatch.setattr("nnrun.reports.html.searches._MOST_TRIALS", 2)
    monkeypatch.setattr("nnrun.reports.html.searches._MOST_LINES", 2)
    trials = [trial(n, value) for n, value in enumerate([0.5, 0.7, None, 0.6, 0.9, 0.8])]
    note, figures, _, slices, every = section(content(trials=trials, random=[]))

    assert note.text.startswith("6 trials by tpe; 1 of them have no value")
    course, plane = figures.charts
    assert "Best so far, first 2 trials" == course.title
    assert "0.9000" in {cell for row in plane.table.rows for cell in row}
    for fold in (slices, every):
        shown, words = fold.blocks
        assert (
            "At most 2 of 5 trials are drawn and listed, evenly spread over the ranks."
            == words.text
        )
        assert ["0.5000", "0.9000"] == [row[-1] for row in shown.charts[0].table.rows]
    assert "validation accuracy 0.9000." in every.blocks[0].charts[0].alternative


def test_a_parameter_that_some_trials_lack(section):
    """It has a chart of its own trials, and no line through all parameters."""
    trials = [trial(0, 0.5), trial(1, 0.6, None), trial(2, 0.7)]
    _, _, _, slices, every = section(content(trials=trials, random=[]))

    against_depth = slices.blocks[0].charts[1]
    assert 2 == len(against_depth.table.rows)
    assert "depth" not in every.blocks[0].charts[0].table.header


def test_options_that_are_blocks_are_told_apart(section):
    """In every chart, by what differs between them."""
    name, sgd = "training.optimizer", "{type: sgd, momentum: 0.9"
    options = {"adam": "adam", f"{sgd}}}": "sgd(momentum=0.9)"}
    options |= {f"{sgd}, nesterov: true}}": "sgd(momentum=0.9, nesterov=true)"}
    found = {"name": name, "kind": "choice", "options": [*options]}
    trials = [
        {**one, "params": one["params"] | {name: option}}
        for one, option in zip(map(trial, range(3), (0.5, 0.6, 0.7)), options, strict=True)
    ]
    parameters = [RATE, SIZE, DEPTH, found]
    *_, slices, every = section(
        content(parameters=parameters, trials=trials, random=[], importance={name: 1.0})
    )
    words = [*options.values()]
    charts = slices.blocks[0].charts
    against = next(chart for chart in charts if chart.title == "Against optimizer")
    assert words == [row[0] for row in against.table.rows]
    table = every.blocks[0].charts[0].table
    assert words == [row[table.header.index("optimizer")] for row in table.rows]


def test_smaller_may_be_better(section):
    """The best so far falls."""
    _, figures, *_ = section(content(larger_is_better=False, random=[]))

    assert ["0.5000"] * 5 == [row[2] for row in figures.charts[0].table.rows]


@pytest.mark.parametrize(
    "damage",
    [
        "text", [], {"schema_version": 1}, content(trials=[]), content(trials="many"),
        content(parameters=[RATE | {"low": "a"}]), content(parameters=[RATE | {"high": 0.0001}]),
        content(parameters=[SIZE | {"options": [16]}]), content(parameters=5),
        content(parameters=[SIZE | {"options": ["{", None]}]),
        content(importance=[]), content(trials=[trial(0, 0.5) | {"params": {"a": []}}] * 2),
        content(trials=[{"number": {}}]), content(random=[7]), content(test=[1]),
        content(board={"rows": [{"best_run": "a/b"}]}, finalists=[{"run_ids": ["b"]}]),
        content(parameters=[RATE | {"low": 1e-320, "high": 1e308}] * 2),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_said_to_be_damaged(section, damage):
    """Or drawn as far as it makes sense; of trials without values there is no section."""
    found = section(damage)

    assert (found is None) == (damage == content(trials=[]))
    assert found is None or isinstance(found[0], Note)


def test_names_with_markup_stay_text(section):
    """They come from a file that others may have written."""
    name = "<script>alert(1)</script>"
    trials = [{**trial(n, 0.5), "params": {name: 0.1 * (n + 1)}} for n in range(3)]
    blocks = section(
        content(parameters=[RATE | {"name": name}], trials=trials, importance={}, random=[])
    )

    drawings = [chart.drawing for chart in blocks[1].charts + blocks[2].blocks[0].charts]
    assert not any("<script" in drawing for drawing in drawings)


def test_folders_without_a_search(tmp_path: Path):
    """They have no section."""
    assert [] == [*search_sections(searches_of([tmp_path, tmp_path / "none"], []))]


@pytest.fixture
def searched(results, tmp_path) -> Path:
    """A results folder with the runs of a grid, named by a search that chose other keys."""
    shutil.copytree(results / "flowers", tmp_path / "results" / "flowers")
    names = sorted(folder.name for folder in (tmp_path / "results" / "flowers").iterdir())
    parts = [
        trial(n, None) | {"choice": {"network.depth": n}, "params": {}, "run_ids": [name]}
        for n, name in enumerate(names)
    ]
    found = content(trials=parts, random=[], finalists=[], board=None, test=None, winner=None)
    (tmp_path / "results" / "flowers" / "search.json").write_bytes(sealed_json(found))
    return tmp_path / "results"


def test_runs_are_named_by_what_the_search_chose(searched, make_report):
    """And not by all keys in which their configs differ."""
    choices = [variant.choice for variant in make_report(searched).variants]

    assert len(choices) > 1
    assert all(["network.depth"] == [*choice] for choice in choices)


def test_boards_of_one_heading_are_told_apart(searched, make_report):
    """By their splits, or else by their experiments, or by a number."""
    (board,) = make_report(searched).boards
    (alone,) = board_titles([board])

    def other(**changes):
        changed = [replace(s, variant=replace(s.variant, **changes)) for s in board.standings]
        return replace(board, standings=changed)

    assert [alone, f"{alone}, 2"] == board_titles([board, board])
    splits = f"{alone} (train, test)", f"{alone} (train)"
    assert splits == (*board_titles([board, other(splits=("train",))]),)
    names = f"{alone} (flowers)", f"{alone} (herbs)"
    assert names == (*board_titles([board, other(name="herbs")]),)


# The leaderboard of the page.


def test_models_beside_a_network_are_named_as_their_rows_are():
    """Without the settings that tell no rows apart, and the network of the note not twice."""
    choices = {"network.depth": 3}, {"beside": "forest", "dataset.hide_test": False}
    members = [
        (named("a", choice=choice), [score(s, value + s % 2 / 50) for s in range(3)])
        for choice, value in zip(choices, (0.9, 0.8), strict=True)
    ]
    (group,) = make_leaderboard(progress(*members), "").groups
    lines = choice_notes(group, several=False)
    (note,) = (line for line in lines if line.startswith("Beside"))
    assert note.startswith("Beside the best network, a: forest is worse by ")


# Runs in progress: their curves so far.

ROWS = [{"iteration": 100, "train_loss": 2.0}, {"iteration": 200, "train_loss": 1.0}]


def run(seed: int, rate: float, status: str = "running") -> RunSummary:
    at = RunProgress(200, 1000, 1.0, None, None, ROWS, seed, None, None, None, "", 2)
    settings = {"training.learning_rate": rate}
    return RunSummary(
        "a", f"s{seed}-0123456789", status, seed=seed, settings=settings, progress=at,
        started="2026-01-02T03:04:05", seconds=0.0,
    )  # fmt: skip


def test_a_curve_so_far_is_over_the_whole_run() -> None:
    """So that it shows how far the run has come; its title has what tells the run from others."""
    (section,) = in_progress([run(1, 0.1), run(2, 0.5)])
    (figures,) = [block for block in section.blocks if isinstance(block, Figures)]
    titles = ["loss of learning rate 0.1 seed=1", "loss of learning rate 0.5 seed=2"]
    assert titles == [chart.title for chart in figures.charts]
    first, second = figures.charts[0].table.places
    start, end = first - (second - first), 480 - 20
    assert 10 == pytest.approx((end - start) / (second - first))


def test_a_run_that_waits_has_not_started() -> None:
    """It has neither a start nor a time, unlike one that trains."""
    found = [Found(Path("a"), one) for one in (run(1, 0.1, "queued"), run(2, 0.1))]
    shown = [[row[5].text, row[7].text] for row in table_of(found, found, "Runs").rows]
    assert [["–", "–"], ["2026-01-02 03:04:05", "0.00 s"]] == shown
