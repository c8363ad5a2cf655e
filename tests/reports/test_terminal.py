"""Results in the terminal."""

from __future__ import annotations

import io
import re
import sys
from dataclasses import replace
from math import inf, nan
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from nnrun.cli.output import Output
from nnrun.reports.best import chosen_words
from nnrun.reports.live.work import Picture, RunAt, Steps
from nnrun.reports.summary import first_sentence
from nnrun.reports.terminal import live
from nnrun.reports.terminal.live import Screen, Terminal
from nnrun.reports.terminal.plot import Curve, Plot
from nnrun.reports.terminal.show import run_summary
from nnrun.reports.terminal.verdicts import summary
from nnrun.runs.verify import Verification
from nnrun.sweeps.board.leaderboard import make_leaderboard
from tests.sweeps.board.boards import named, progress, score

# The table that ends a run.

FOLDER = Path("results/houses/s7-0123456789")


def shown(record, width=80, **console) -> str:
    file = io.StringIO()
    Console(file=file, width=width, markup=False, highlight=False, **console).print(
        run_summary(record, FOLDER)
    )
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def test_a_classification_run(classification):
    """Accuracy first; the log loss, which is the loss here, only once; no matrix."""
    lines = [line.split() for line in shown(classification).splitlines()]
    assert ["train", "validation", "test", "baseline", "test"] == lines[4]
    assert ["accuracy", "0.9000", "0.9000", "0.9000", "0.5000"] == lines[6]
    assert ["loss", "0.2500", "0.2500", "0.2500", "0.2500"] == lines[7]
    baseline = "always the majority class of the training split; loss and log loss are those of"
    assert f"baseline   {baseline} its class shares\n" in shown(classification, 120)
    other = replace(classification, config={**classification.config, "loss": {"type": "huber"}})
    assert "log loss" in shown(other)


def test_early_stopping_is_reported(regression):
    """Whether training stopped early, and which weights were kept."""
    training = {"early_stopping": {"restore_best": True}}
    record = replace(
        regression,
        config={**regression.config, "training": training},
        stopped_early=True,
        best_iteration=8500,
    )
    assert "stopped early, weights of iteration 8,500" in " ".join(shown(record).split())


def test_every_warning_is_on_a_line_of_its_own(regression):
    """What was seen comes first, and what to try about it last: none is left to the report."""
    messages = ["seen one", "seen two", "seen three", "try dataset.features=standard", "and this"]
    record = replace(regression, warnings=[{"kind": "k", "message": text} for text in messages])
    lines = shown(record).splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("warning"))
    said = [line.removeprefix("warning").strip() for line in lines[first : first + len(messages)]]
    assert [f"{text.capitalize()}." for text in messages] == said


@pytest.mark.parametrize("status", ["diverged", "interrupted", "failed"])
def test_what_did_not_end_well_says_so(regression, status):
    """The status stands in the first line; without numbers there is no table of them."""
    record = replace(
        regression, status=status, metrics=dict.fromkeys(("train", "validation", "test"))
    )
    assert f"houses  s7-0123456789  {status}" == shown(record).splitlines()[0]
    assert "rmse" not in shown(record)
    assert "baseline" not in shown(record)


@pytest.mark.parametrize(
    ("planned", "line"),
    [
        ({"iterations": 80_000}, "10,000 of 80,000 iterations in 0.50 s"),
        ({"iterations": None, "epochs": 200, "batch_size": 4}, "10,000 of 20,200 iterations in"),
        ({}, "10,000 iterations in 0.50 s"),
    ],
)
def test_how_far_it_came_before_it_was_interrupted_is_reported(regression, planned, line):
    """Beside what the config asks for, in iterations."""
    training = {"early_stopping": None, **planned}
    config = {**regression.config, "training": training}
    assert f"training   {line}" in shown(replace(regression, status="interrupted", config=config))
    assert "training   10,000 iterations in" in shown(replace(regression, config=config))


@pytest.mark.parametrize("width", [20, 40, 200])
def test_any_width_will_do(regression, classification, width):
    """Narrow terminals wrap, and nothing is wider than the terminal."""
    for record in (regression, classification):
        assert all(len(line) <= width for line in shown(record, width).splitlines())


def test_names_are_no_markup_and_steer_nothing(regression):
    """Brackets, emoji codes and escape sequences of a config are shown, not obeyed."""
    record = replace(regression, description="[red]a[/red] :smile: \x1b[31m\nb")
    text = shown(record)
    assert "[red]a[/red] :smile:  [31m b" == text.splitlines()[1]
    assert "\x1b" not in text


def test_colours_are_for_terminals(regression, monkeypatch):
    """A terminal gets colours unless NO_COLOR is set; a file never."""
    monkeypatch.setenv("NO_COLOR", "1")
    plain = shown(replace(regression, status="diverged"), force_terminal=True)
    assert not re.search(r"\x1b\[[\d;]*3\d", plain)
    monkeypatch.delenv("NO_COLOR")
    coloured = shown(
        replace(regression, status="diverged"), force_terminal=True, color_system="standard"
    )
    assert "\x1b[1;31m  diverged" in coloured
    assert "\x1b" not in shown(regression)


@pytest.mark.parametrize(
    ("note", "short"),
    [
        ("MNIST: Y. LeCun, C. Cortes; CC BY-SA 3.0 (as stated). All rows.", None),
        ("One thing is so. Another is not.", "One thing is so."),
        ("In lower case. scikit-learn goes on.", "In lower case."),
        ("Only one", "Only one"),
    ],
)
def test_a_note_is_shortened_to_its_first_sentence(note, short):
    """Initials do not end a sentence."""
    assert (short or note.removesuffix(" All rows.")) == first_sentence(note)


# What is said of the run that a command takes.


def chosen(rows):
    """The best network of a board with these rows."""
    (group,) = make_leaderboard(progress(*rows), "").groups
    return SimpleNamespace(
        record=SimpleNamespace(name="a", run_id="s1-0123456789"),
        group=group,
        row=group.first_network,
        others=[],
        variants=[named("a")],
    )


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        (5, "it cannot be told from it: better by "),
        (1, "it is ahead, and not compared with this setting"),
    ],
)
def test_a_model_ahead_is_compared_with_the_chosen_setting_alone(runs, said):
    """The board compares models with networks of several runs; a single run is not among them."""
    forest = named("a", choice={"beside": "forest"}, seeds=range(5))
    rows = [
        (forest, [score(s, 0.9 + s % 2 / 100) for s in range(5)]),
        (named("a", choice={"seed": 1}, seeds=range(runs)), [score(s, 0.9) for s in range(runs)]),
        (
            named("a", choice={"seed": 2}, seeds=range(5)),
            [score(s, 0.89 - s % 3 / 50) for s in range(5)],
        ),
    ]
    found = [line for line in chosen_words(chosen(rows), Path("results")) if "scikit-learn" in line]
    assert [True] == [f": {said}" in line for line in found]


def test_long_settings_are_cut_after_what_tells_rows_apart():
    """The run and the command are what one looks for; `best` prints the whole setting."""
    keys = (
        "dataset.hide_test",
        "dataset.test_size",
        "training.batch_size",
        "training.epochs",
        "training.dtype",
    )
    rows = [
        (
            named("a", choice={**dict.fromkeys(keys, n), "seed": n % 2, "training.clip_norm": n}),
            [score(0, 0.9 - n / 10)],
        )
        for n in range(3)
    ]
    line = next(chosen_words(chosen(rows), Path("results")))
    assert " with test_size=0 batch_size=0 epochs=0 dtype=0 …, number 1 of 3 " in line


@pytest.mark.parametrize(("runs", "said"), [(1, True), (5, False)])
def test_a_setting_of_fewer_runs_than_others_is_said_to_be_one(runs, said):
    """The mean of few runs is the likelier to be first by luck."""
    rows = [
        (named("a", choice={"seed": 1}, seeds=range(runs)), [score(s, 0.9) for s in range(runs)]),
        (named("a", choice={"seed": 2}, seeds=range(5)), [score(s, 0.8) for s in range(5)]),
    ]
    lines = [*chosen_words(chosen(rows), Path("results"))]
    words = "  it has 1 run and other settings up to 5: of few runs a mean is easily first by luck"
    assert said == (words in lines)


# What verifying runs has shown, in words.


def test_both_counts_have_commas():
    """The sum of many runs, and its parts."""
    same = [Verification("cars", f"s{seed}", "", "same_bits") for seed in range(1600)]
    damaged = [Verification("cars", "s1600", "", "damaged")]
    assert "1,600 runs: 1,600 with the same bits" == summary(same)
    assert "1,601 runs: 1,600 with the same bits, 1 damaged" == summary([*same, *damaged])


# Curves in a terminal: the marks stand where the values are.


def drawn(*curves, width=40, title="loss"):
    file = io.StringIO()
    plot = Plot(title, [Curve(f"c{mark}", x, y, mark, "") for x, y, mark in curves])
    Console(file=file, width=width, markup=False, highlight=False).print(plot)
    return file.getvalue().splitlines()


def test_a_line_falls_from_the_top_left_to_the_bottom_right():
    """Its first value at the largest label, its last at the smallest, iterations below."""
    heading, *rows, axis, footer = drawn(([0, 100], [1.0, 0.0], "•"))
    assert "loss   • c•" == heading.rstrip()
    assert rows[0].startswith(" 1.000 │ •")
    assert rows[-1].startswith("     0 │")
    assert rows[-1].rstrip().endswith("•")
    assert 31 == sum(row.count("•") for row in rows)
    assert "└" in axis
    assert footer.split() == ["0", "iteration", "100"]
    assert all(len(row) <= 40 for row in rows)


def test_wide_ranges_are_logarithmic_and_say_so():
    """From 1,000 to 0.001 by equal ratios is a straight line."""
    heading, *rows = drawn(([0, 1, 2], [1e3, 1.0, 1e-3], "•"))
    assert heading.startswith("loss, logarithmic")
    middle = [index for index, row in enumerate(rows) if "1.000 │" in row]
    assert middle in ([4], [5])


@pytest.mark.parametrize("values", [[nan, inf], [3.0, 3.0], [1e300, -1e300], [], [0.0]])
def test_values_without_a_place_leave_gaps(values):
    """No number, one number, the range of all numbers: something is drawn, and nothing fails."""
    lines = drawn((list(range(len(values))), values, "•"))
    assert 13 == len(lines)
    marks = sum(line.count("•") for line in lines[1:])
    assert (marks > 0) == bool([v for v in values if abs(v) < inf])


def test_narrow_terminals_still_show_the_axis():
    """Down to a few columns."""
    assert all(len(line) <= 20 or "loss" in line for line in drawn(([0, 9], [1, 2], "•"), width=20))


# How a terminal draws work while it goes on.


@pytest.mark.parametrize(("takes", "expected"), [(0.001, 100), (0.5, 2)])
def test_drawings_that_take_long_are_rare(monkeypatch, takes, expected):
    """Ten in a second, or a tenth of the time: a board of many rows would take all of it."""
    clock, drawn = [0.0], []

    def picture(width):
        clock[0] += takes
        drawn.append(clock[0])
        return Picture("")

    terminal = Terminal(Output())
    monkeypatch.setattr(live, "monotonic", lambda: clock[0])
    monkeypatch.setattr(terminal.live, "start", lambda: None)
    monkeypatch.setattr(terminal.live, "update", lambda *_, **__: None)
    terminal.next = 0.0
    while clock[0] < 10:
        terminal.draw(picture)
        clock[0] += 0.001
    assert expected == pytest.approx(len(drawn), rel=0.02)


@pytest.fixture
def terminal(monkeypatch):
    """A display on a terminal of 80 columns, and what was written to it."""
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", stream)
    for name, value in {"TERM": "xterm", "COLUMNS": "80", "LINES": "24", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    return Terminal(Output()), stream


def test_a_warning_stands_above_the_bar(terminal):
    """The bar is erased before it and drawn again below, so that both are whole."""
    display, stream = terminal
    work = Steps(2)
    work.display = display
    work("first")
    work.warn("the disk is slow")
    before, _, after = stream.getvalue().partition("the disk is slow")
    assert before.endswith("\x1b[2K")
    assert "1 of 2: first" in after
    display.close()


@pytest.mark.parametrize(("label", "has_bar"), [("iris seed=3", True), ("x" * 40, False)])
def test_a_run_has_a_bar_where_its_label_leaves_room(terminal, label, has_bar):
    """A label that says what differs is worth more than a bar."""
    display, _ = terminal
    run = RunAt(label, 0.5, 1e6, 10.0, {"train": 0.25, "validation": 0.5})
    lines = display.console.render_lines(Screen(Picture("1/2 runs", 0.5, running=[run])))
    text = "".join(part.text for part in lines[1])
    assert has_bar == ("━" in text)
    assert text.rstrip().endswith(" 50%  loss 0.2500  val 0.5000  10 s left")
