"""Recorded screens: what tables show at 60, 80 and 120 columns, and what they never do.

The screens lie in `screens/`. To record them anew after a change that is wanted, run
`NNRUN_RECORD=1 pytest tests/reports/test_screens.py` and read the difference.
"""

from __future__ import annotations

import io
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from nnrun.cli.output import Output
from nnrun.nn.gradient_check import GradientCheck
from nnrun.reports.checks import gradients_table
from nnrun.reports.comparison import letter
from nnrun.reports.row_names import Names
from nnrun.reports.terminal import fitting
from nnrun.reports.terminal.fitting import Column, FittedTable, table_of
from nnrun.reports.terminal.runs import runs_table
from nnrun.reports.terminal.show import run_in_full
from nnrun.reports.terminal.sweeps import Outlook, comparison_tables, leaderboard_tables, plan_table
from nnrun.runs.catalog.compare import compare
from nnrun.runs.catalog.summary import RunSummary, by_time, varied
from nnrun.sweeps.board.leaderboard import make_leaderboard
from nnrun.sweeps.planning.plan import Plan
from tests.reports.conftest import REGRESSION
from tests.sweeps.board.boards import named, progress, score

SCREENS = Path(__file__).parent / "screens"
WIDTHS = (60, 80, 120)
# What follows these words is for copying, and is never broken into lines.
COPIED = ("again ", "report ")
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_COLOURS = re.compile(r"\x1b\[(?:\d+;)*[39][0-7](?:;\d+)*m")

RUN = RunSummary(
    name="iris_softmax",
    run_id="s42-0123456789",
    status="completed",
    seed=42,
    metric="accuracy",
    larger_is_better=True,
    train=0.958333,
    test=0.966667,
    started="2026-01-02T03:04:05+00:00",
    seconds=0.03,
    iterations=5000,
    settings={"training.learning_rate": 0.01, "training.optimizer.type": "sgd"},
)


def run(seed, rate, digest, **changes):
    settings = {**RUN.settings, "training.learning_rate": rate}
    return RUN._replace(run_id=f"s{seed}-{digest}", seed=seed, settings=settings, **changes)


RUNS = by_time(
    [
        run(42, 0.01, "0123456789"),
        run(42, 0.1, "01239abcde", test=0.9, started="2026-01-02T03:04:06+00:00"),
        run(43, 0.1, "aaaaaaaaaa", status="diverged", train=None, test=None),
        run(44, 0.1, "bbbbbbbbbb", status="failed", train=None, test=None),
        RunSummary(
            "iris_softmax", "s45-cccccccccc", "running", started="2026-01-02T03:00:00+00:00"
        ),
        RunSummary("houses", "s1-dddddddddd", "interrupted", "it continues from its checkpoint"),
        RunSummary("houses", "s2-eeeeeeeeee", "damaged", "report.json is not what nnrun writes"),
    ]
)


def board(validation=True):
    """Three rows, one of which diverged in part; ordered by validation where there is any."""
    splits = ("train", "validation", "test") if validation else ("train", "test")
    shared = {"splits": splits, "seeds": range(3), "dataset": "iris"}

    def scores(level):
        kept = level if validation else None
        return [
            score(s, level + s / 100, 0.95, kept and kept + s * level / 45)._replace(
                run_id=f"s{s}-0123456789"
            )
            for s in range(3)
        ]

    members = [
        (named("iris_softmax", choice={"training.learning_rate": 0.1}, **shared), scores(0.9)),
        (named("iris_softmax", choice={"training.learning_rate": 0.01}, **shared), scores(0.88)),
        (
            named("iris_softmax", choice={"training.learning_rate": 10.0}, **shared),
            [*scores(0.3)[:2], score(2, None, None, status="diverged")],
        ),
    ]
    return make_leaderboard(progress(*members), "nnrun sweep configs")


def shown_run():
    """A regression whose loss falls over three decades, then over none."""
    steps = [*range(0, 10_001, 500)]
    train = [1000.0 * 0.7**k for k in range(21)]
    history = {
        "iteration": steps,
        "train_loss": train,
        "test_loss": [2 * value + 5 for value in train],
        "train_mse": train,
        "test_mse": [2 * value + 5 for value in train],
    }
    folder = Path("results/houses/s7-0123456789")
    overview = RunSummary("houses", "s7-0123456789", "completed")
    return run_in_full(overview, REGRESSION, history, folder)


def compared():
    """Two runs of a regression that differ in a setting, a result, and how they ended."""
    config = {**REGRESSION.config, "training": {"learning_rate": 0.1, "early_stopping": None}}
    metrics = {**REGRESSION.metrics, "test": {**REGRESSION.metrics["test"], "mse": 30.0}}
    other = replace(
        REGRESSION, run_id="s7-9876543210", config=config, metrics=metrics, status="interrupted"
    )
    return comparison_tables(compare([REGRESSION, other]), board(), Path("results"))


def planned():
    """A sweep of two configs, one with a grid."""
    rates = [{"training.learning_rate": rate} for rate in (0.1, 0.01)]
    variants = [
        *(named("digits_cnn", choice=choice, seeds=range(42, 62)) for choice in rates),
        named("boston_arch2_standardized", seeds=[1, 5, 9], dataset="boston"),
    ]
    return plan_table(Outlook(Plan(variants), [20, 20, 3], [20, 0, 1], 2, 61.0, 0.0))


def gradients():
    """One that agrees, and one that does not."""
    return table_of(
        gradients_table(
            [
                GradientCheck("0.weight", 1200, 200, 0, 1.2345e-12, 1.0, 1.0),
                GradientCheck("1.0.weight", 12, 12, 3, 0.5, 1.0, 2.0),
            ]
        )
    )


SHOWN = {
    "plan": planned,
    "gradients": gradients,
    "show": shown_run,
    "compare": compared,
    "ls": lambda: runs_table(RUNS, len(RUNS), varied(RUNS)),
    "leaderboard": lambda: leaderboard_tables(board(), Path("results")),
}


def screen(renderable, width, **console) -> str:
    file = io.StringIO()
    shown = Console(file=file, width=width, markup=False, highlight=False, **console)
    shown.print(renderable, crop=False)  # as the command line does it
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


@pytest.fixture(autouse=True)
def year(monkeypatch):
    """Sets the year of now; the screens were recorded in that of their runs."""

    def make(number: int) -> None:
        monkeypatch.setattr("nnrun.reports.terminal.runs.now", lambda: f"{number}-06-07T08:09:10")

    make(2026)
    return make


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", SHOWN)
def test_screens_are_as_they_were_recorded(name, width):
    """Piped, and, but for colours and bold type, in a terminal; without colours under NO_COLOR."""
    text = screen(SHOWN[name](), width)
    file = SCREENS / f"{name}_{width}.txt"
    if os.environ.get("NNRUN_RECORD"):
        file.write_text(text, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text
    for settings in ({"color_system": "standard"}, {"no_color": True}):
        shown = screen(SHOWN[name](), width, force_terminal=True, **settings)
        assert text == "".join(f"{x.rstrip()}\n" for x in _ESCAPES.sub("", shown).splitlines())
        assert ("no_color" in settings) != bool(_COLOURS.search(shown)) or name != "ls"
    broken = [line for line in text.splitlines() if not line.startswith(COPIED)]
    assert max(map(len, broken)) <= width


def test_runs_of_other_years_have_the_year(year):
    """All of a list then, so that its dates compare; a run that is in no year yet has none."""
    waiting = RUN._replace(run_id="s43-0123456789", started=None)
    older = RUN._replace(run_id="s44-0123456789", started="2025-12-31T23:59:59+00:00")

    def dates(*runs):
        lines = screen(runs_table(runs, len(runs), {}), 120).splitlines()
        return [line[line.index("0.9583") + 6 :].strip() for line in lines if "0.9583" in line]

    assert ["01-02 03:04", "–"] == dates(RUN, waiting)
    assert ["2026-01-02 03:04", "–", "2025-12-31 23:59"] == dates(RUN, waiting, older)
    year(2027)
    assert ["2026-01-02 03:04"] == dates(RUN)


@pytest.mark.parametrize("width", range(60, 121, 10))
def test_what_matters_stays(width):
    """Results and how runs ended in a list; the split that decides and the test split, from 80
    columns on, in a leaderboard: whole numbers, and whole words.
    """
    text = screen(SHOWN["ls"](), width)
    for word in ("0.9667", "0.9000", "completed", "diverged", "failed", "running", "interrupted"):
        assert word in text.split()
    shown = screen(SHOWN["leaderboard"](), width)
    assert "0.920 ± 0.050" in shown
    assert width < 80 or "0.910 ± 0.025" in shown
    assert "best stored setting: nnrun best iris_softmax" in shown.splitlines()
    assert "its median run, for any command: iris_softmax/best" in shown.splitlines()


@pytest.mark.parametrize("width", WIDTHS)
def test_paths_and_commands_stay_in_one_piece(width):
    """However long, so that they can be copied."""
    folder = Path("results/a_name_of_some_length/s7-0123456789")
    run = RunSummary("houses", "s7-0123456789", "completed")
    lines = screen(run_in_full(run, REGRESSION, {}, folder), width).splitlines()
    assert f"report     {folder}/report.md" in lines
    assert f"again      nnrun train {folder}/config.yaml --results again" == lines[-1]


def test_columns_give_way_in_the_order_of_need():
    """What is left out is named, with what shows it; what is needed stays, however little fits."""
    columns = [
        Column("name", ["alpha", "beta"], left=True),
        Column("first", ["1234567", "1"], need=1),
        Column("last", ["7654321", "2"], need=2),
    ]
    table = FittedTable(columns, more="--wide")
    assert "left out" not in screen(table, 25)
    text = screen(table, 24)
    assert "1234567" in text
    assert "7654321" not in text
    assert "left out: last (--wide shows all)" in text.replace("\n", " ").replace("  ", " ")
    least = screen(table, 10)
    assert "alpha" in least
    assert "1234567" not in least


def test_cells_that_wrap_share_the_width_of_the_terminal():
    """Lines that are one character longer would be broken by it."""
    cells = ("{type: adam, beta1: 0.8}", "{schedule: exponential, initial: 0.1, every: 50}", "sgd")
    texts = [[cell, other] for cell in cells for other in cells]
    columns = [Column(letter(n), text, n, left=True, wraps=True) for n, text in enumerate(texts)]
    table = FittedTable([Column("setting", ["optimizer", "rate"], left=True), *columns])
    too_long = {
        width: len(line)
        for width in range(60, 120)
        for line in screen(table, width).splitlines()
        if len(line) > width
    }
    assert {} == too_long


def test_of_many_columns_that_give_way_the_first_are_named():
    """A comparison of hundreds of runs ends in no paragraph of their letters."""
    runs = [Column(f"r{index}", ["12345"], need=index) for index in range(400)]
    table = FittedTable([Column("name", ["alpha"], left=True), *runs])
    *_, last = " ".join(screen(table, 40).split()).split("left out: ")
    assert (
        "r4, r5, r6, r7, r8, r9, r10, r11, r12, r13, r14, r15 and 384 more (--wide shows all)"
        == last
    )


def test_wide_leaves_no_column_out(capsys):
    """However many runs are compared."""
    runs = [Column(f"r{index}", ["0.12345"], need=index) for index in range(1500)]
    output = Output()
    output.wide = True
    output.show(FittedTable([Column("name", ["alpha"], left=True), *runs]))
    heading, *_, last = capsys.readouterr().out.splitlines()
    assert 1501 == len(heading.split()) == len(last.split())


def test_columns_that_give_way_are_measured_once(monkeypatch):
    """The work for a comparison grows in step with its runs."""
    measured = []
    monkeypatch.setattr(fitting, "cell_len", lambda text: measured.append(text) or len(text))

    def work(runs):
        measured.clear()
        columns = [Column(f"r{index}", ["12345"], need=index) for index in range(runs)]
        screen(FittedTable([Column("name", ["alpha"], left=True), *columns]), 40)
        return len(measured)

    few, more, most = map(work, (20, 40, 60))
    assert more - few == most - more > 0


def test_metrics_of_compared_runs_are_read_once():
    """Whatever the number of runs that they are compared with."""
    read = []

    class Metrics(dict):
        def get(self, key):
            read.append(key)
            return super().get(key)

    def work(runs):
        read.clear()
        compare([replace(REGRESSION, metrics=Metrics(REGRESSION.metrics)) for _ in range(runs)])
        return len(read)

    few, more, most = map(work, (2, 4, 6))
    assert more - few == most - more > 0


def test_what_two_runs_both_lack_is_no_difference():
    """A block that is null in one and set in the other is one setting; counts are whole."""
    training = {**REGRESSION.config["training"], "early_stopping": {"patience": 3, "monitor": None}}
    network = {**REGRESSION.network, "parameters": 1801}
    other = replace(REGRESSION, config={**REGRESSION.config, "training": training}, network=network)
    lines = screen(comparison_tables(compare([REGRESSION, other]), None, Path("results")), 80)
    rows = [line.split(maxsplit=2) for line in lines.splitlines()]
    assert ["early_stopping", "–", "{patience: 3}"] in rows
    assert "1,801" in lines
    assert "monitor" not in lines
    assert not any(row[1:] == ["–", "–"] for row in rows)


def test_what_runs_were_trained_by_hides_nothing_else():
    """It is long, and runs over several lines."""
    vectors = "X86_V2 X86_V3 X86_V4 AVX512_ICL"
    blas = {"blas": "scipy-openblas 0.3.31.188.0", "blas_kernel": "Haswell", "vectors": vectors}
    machine = {**REGRESSION.environment, "architecture": "x86_64", **blas}
    first = replace(REGRESSION, engine="numpy", environment=machine)
    second = replace(first, environment={**machine, "blas_kernel": "Zen"})
    lines = screen(comparison_tables(compare([first, second]), None, None), 80)
    (row,) = [line.split() for line in lines.splitlines() if line.startswith("arithmetic")]
    assert ["arithmetic", "numpy,"] == row[:2]
    assert "Haswell" in lines
    assert "Zen" in lines


def test_the_loss_by_another_name_is_shown_where_one_run_has_two_numbers():
    """For all of them then, and else for none, whatever rounding did."""
    both = {"test": {"loss": 0.5, "log_loss": 0.5 + 1e-12}}
    same, other = replace(REGRESSION, metrics=both), {"test": {"loss": 0.7, "log_loss": 0.7}}
    again = replace(REGRESSION, metrics=other)
    assert list(compare([same, again]).results) == ["test loss"]
    clipped = replace(REGRESSION, metrics={"test": {"loss": 0.7, "log_loss": 0.6}})
    found = compare([same, clipped]).results
    assert found["test log_loss"] == [0.5 + 1e-12, 0.6]


def test_metrics_that_only_later_runs_have_stand_with_the_others():
    """Sizes and times come after all of them."""
    first, other = ({"test": {name: 0.5}} for name in ("mse", "accuracy"))
    longer = {**REGRESSION.timing, "iterations": 1}
    runs = replace(REGRESSION, metrics=first), replace(REGRESSION, metrics=other, timing=longer)
    assert ["test mse", "test accuracy", "iterations"] == list(compare(runs).results)


def test_headings_are_broken_only_where_their_cells_are_narrower():
    """And never between ± and what stands behind it."""
    titles = ("config", "test ± sd", "to the best")
    cells = ("linear", "8.165", "not compared")
    columns = [Column(title, [cell]) for title, cell in zip(titles, cells, strict=True)]
    lines = screen(FittedTable(columns), 29).splitlines()
    assert ["          test", "config    ± sd    to the best"] == lines[:2]


def test_no_number_goes_on_in_the_next_line():
    """A word that is too long is cut, and the legend says where all of it is."""
    settings = Column("settings", ["learning_rate=0.0007682 depth=3"], wraps=True, lines=2)
    text = screen(FittedTable([Column("run", ["s42-0123"]), settings]), 28)
    rows = [line.split() for line in text.splitlines()[2:4]]
    assert [["s42-0123", "learning_rate=0.…"], ["depth=3"]] == rows
    assert "…: more settings, which nnrun show RUN" in text.replace("\n", " ")


def test_a_layer_that_one_network_lacks_is_one_line_of_a_comparison():
    """With what it says beyond the defaults; of layers of one number their settings."""
    layers = [{"type": "dense", "units": 4, "activation": "relu", "bias": True}]
    more = {"type": "dense", "units": 1, "activation": "linear", "bias": True}
    runs = [
        replace(REGRESSION, config={**REGRESSION.config, "network": {"layers": found}})
        for found in (layers, [{**layers[0], "units": 8}, more])
    ]
    lines = screen(comparison_tables(compare(runs), None, Path("results")), 80).splitlines()
    rows = [line.split(maxsplit=2) for line in lines]
    assert ["layers.0.units", "4", "8"] in rows
    assert ["layers.1", "–", "dense(1)"] in rows


def test_more_runs_than_letters_have_two():
    """As the columns of a spreadsheet have."""
    assert ["A", "Z", "AA", "AZ", "BA"] == [letter(index) for index in (0, 25, 26, 51, 52)]


def test_runs_have_a_line_where_a_table_has_their_letter():
    """Shown or left out by name; the number of the others is said."""
    runs = [replace(REGRESSION, seed=seed, run_id=f"s{seed}-01") for seed in range(53)]
    text = screen(comparison_tables(compare(runs), None, Path("results")), 40)
    names = [line.split()[0] for line in text.splitlines() if "houses/s" in line]
    _, *shown = next(line for line in text.splitlines() if line.startswith("setting")).split()
    left_out = " ".join(text.partition("left out: ")[2].split()).partition(" and ")[0].split(", ")
    assert [*shown, *left_out] == names
    assert f"and {53 - len(names)} more (--json shows all)" in text
    assert "--json shows" not in screen(comparison_tables(compare(runs), None, None), 1000)


def test_cells_shrink_before_columns_go():
    """First to their shorter forms, a heading to a word a line."""
    columns = [
        Column("run", ["a-long-name/0123456789"], left=True, short=[["a-long-name/01"]]),
        Column("test accuracy", ["0.9"], need=1),
    ]
    assert "a-long-name/0123456789             0.9" in screen(FittedTable(columns), 38)
    short = screen(FittedTable(columns), 30)
    assert "a-long-name/01        0.9" in short
    assert "left out" not in short


def test_a_number_behind_a_status_is_explained():
    """Below a list that is too narrow for the words; a wide one has the words."""
    runs = [RUN._replace(warnings=2)]
    narrow, wide = (screen(runs_table(runs, 1, varied(runs)), width) for width in (50, 150))
    assert ("completed (2)" in narrow, "completed, 2 warnings" in wide) == (True, True)
    line = "in parentheses: the number of warnings"
    assert [True, False] == [line in text for text in (narrow, wide)]


@pytest.mark.parametrize("length", [40, 60, 100])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_name_that_is_longer_than_the_screen_gives_way(width, length):
    """It runs over several lines, and results stay whole beside it."""
    name = "n" * length
    runs = [run._replace(name=name) for run in RUNS]
    text = screen(runs_table(runs, len(runs), varied(runs)), width)
    assert {"0.9667", "0.9000"} <= set(text.split())
    assert "…" not in text
    shown = board()
    rows = [replace(row, name=name) for row in shown.groups[0].rows]
    long = replace(shown, groups=[replace(shown.groups[0], rows=rows)])
    assert "0.920 ± 0.050" in screen(leaderboard_tables(long), width)
    assert max(map(len, text.splitlines())) <= width


def test_the_rows_of_a_group_are_named_once(monkeypatch):
    """For all that is said of them, and the board's data stay as they are."""
    made, make = [], Names.__init__
    monkeypatch.setattr(Names, "__init__", lambda self, rows: made.append(rows) or make(self, rows))
    shown = board()
    before = shown.to_dict()
    screen(leaderboard_tables(shown), 80)
    assert [1] * len(shown.groups) == [
        sum(rows is group.rows for rows in made) for group in shown.groups
    ]
    assert before == shown.to_dict()


def test_runs_that_have_not_ended_stand_last():
    """Whenever they began: what was cut off, and then what is going on."""
    assert ["interrupted", "running"] == [run.status for run in RUNS[-2:]]


def test_ids_are_as_short_as_they_can_be():
    """Where two begin alike, they are longer, so that commands know which is meant."""
    text = screen(SHOWN["ls"](), 60)
    assert "s42-01234" in text
    assert "s42-01239" in text
    assert "s42-0123456789" not in text


def test_a_board_names_each_experiment_to_take_the_best_of_once():
    """However many boards it is first on, since NAME/best is one of them; in one piece."""
    long = "a" * 90
    rows = [(named(long, folds=folds), [score(s, 0.5) for s in range(3)]) for folds in (None, 5)]
    rows.append((named("b", sha256="2"), [score(0, 0.5)]))
    table = leaderboard_tables(make_leaderboard(progress(*rows), ""), Path("else where"))
    lines = screen(table, 80).splitlines()
    for name in (long, "b"):
        assert 1 == lines.count(f"best stored setting: nnrun best {name} --results 'else where'")
        assert 1 == lines.count(f"its median run, for any command: {name}/best")


def listed_choices(*choices):
    """The list of runs of a search that chose these, in 80 columns."""
    listed = [run(seed, 0.1, "aaaaaaaaaa", validation=0.5, train=None) for seed in (1, 2, 3)]
    found = zip(listed, choices, strict=False)
    known = {(r.name, r.run_id): choice for r, choice in found}
    return screen(runs_table(listed[: len(choices)], 3, {}, searched=(known, set())), 80)


def test_a_run_of_many_settings_takes_two_lines():
    """What all listed runs share is said above, and words that do not fit are left out."""
    keys = ("learning_rate", "batch_size", "momentum", "weight_decay", "clip_norm", "window")
    text = listed_choices(*({"depth": 3} | dict.fromkeys(keys, n) for n in (0.0625, 0.125)))
    assert "In every row: depth=3." == text.splitlines()[0]
    rows, _, rest = text.partition("─\n")[2].partition("\n…: more settings, which nnrun show RUN")
    assert rest.startswith(" and --wide show\n")
    assert 4 == len(rows.splitlines())
    assert "depth" not in rows


def test_ids_stay_whole_where_settings_can_be_narrower():
    """Ids are copied; a long setting takes two lines."""
    listed = [
        one._replace(name="exercise-8", test=test)
        for one, test in ((run(42, 0.1, "0123456789"), 0.5), (run(43, 0.1, "aaaaaaaaaa"), None))
    ]
    words = ({"network.layers.2.type": kind} for kind in ("wrong_layer", "my_layer"))
    known = {(r.name, r.run_id): choice for r, choice in zip(listed, words, strict=True)}
    text = screen(runs_table(listed, 2, {}, searched=(known, set())), 68)
    assert "exercise-8/s42-0123 " in text
    assert "layers.2.type=" in text
