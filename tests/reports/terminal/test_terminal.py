"""The table that ends a run."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from nnrun.reports.summary import first_sentence
from nnrun.reports.terminal.show import run_summary

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
