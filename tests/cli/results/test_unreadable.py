"""A run that another version of nnrun has written: every command says so, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.forging import revise


@pytest.fixture(params=[0, 2])
def run(request, lab, cars):
    """Beside a run that can be read: its folder, and the words for it."""
    lab("train", cars, "seed=1")
    lab("train", cars, "seed=2")
    report = next(Path("results/cars").glob("s2-*/report.json"))
    revise(report, schema_version=request.param)
    return report.parent, "cannot be read: report.json is of another version of nnrun"


@pytest.mark.parametrize(
    "words",
    [
        ["train", "cars.yaml", "seed=2"],
        ["predict", "RUN", "rows.csv"],
        ["compare", "RUN", "cars/s1"],
        ["verify", "RUN"],
        ["verify"],
        ["ls"],
        ["ls", "--top", "1"],
    ],
    ids=" ".join,
)
def test_commands_use_the_same_words(lab, run, words):
    """And none of them calls it damaged."""
    folder, said = run
    done = lab(*[str(folder) if word == "RUN" else word for word in words])
    shown = " ".join(f"{done.out} {done.err}".split())
    assert (True, False) == (said in shown, "damaged" in shown)


def test_it_is_no_disagreement(lab, run):
    """`verify` cannot verify it, which is another exit code than for other numbers."""
    folder, said = run
    done = lab("verify", str(folder))
    label = f"cars/{folder.name}"
    trains = f"nnrun train {folder}/config.yaml --force --results results trains it again"
    assert (1, f"error: {label}: it {said}; {trains}\n") == (done.code, done.err)


def test_it_can_be_listed_alone(lab, run):
    """By its status, which `show` and the report have, too."""
    folder, said = run
    found = lab.json("ls", "--where", "status=unreadable")
    assert [folder.name] == [one["run_id"] for one in found]
    shown = lab("show", str(folder)).out
    assert f"cars  {folder.name}  unreadable" == shown.splitlines()[0]
    lab("report")
    page = Path("report.html").read_text()
    assert (True, True) == ('class="status unreadable"' in page, f"{folder.name} {said}" in page)
