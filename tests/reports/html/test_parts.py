"""The parts of a page: what comes first, what is folded, and what is printed in brief."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from nnrun.cli.report import find_runs
from nnrun.reports.html.report import Report, render
from nnrun.reports.html.runs import config_blocks
from nnrun.runs.storage.reading import read_run
from nnrun.sweeps.planning.variants import Datasets

NOTE = "Feature B encodes the share of Black residents by town"


def links(page: str) -> list[str]:
    bar = page.partition('<nav class="bar"')[2].partition("</nav>")[0]
    return re.findall(r">([^<>]+)</a>", bar)


@pytest.fixture(scope="module")
def houses(results) -> str:
    """The page of the one run on the Boston data."""
    found = find_runs((str(results / "houses"),), results)
    return render(Report(found, Datasets().load))


def test_parts_have_short_names(page, houses) -> None:
    """And the verdict is the first of them; of one run they are the parts of its details."""
    assert ["↑", "Best", "Board", "Curves", "Settings", "Runs"] == links(page)
    assert ["↑", "Summary", "Result", "Learning curves", "Predictions"] == links(houses)[:5]


def test_the_verdict_is_first(page, houses) -> None:
    """Its lines lead the page, one for each board, in the section of their own."""
    first = page.partition("<main>")[2].partition("</section>")[0]
    leads = re.findall(r"<strong><bdi>([^<]+)</bdi>:</strong>", first)
    assert ["boston", "iris", "moons side", "digits", "Problems"] == leads
    own = houses.partition("<main>")[2].partition("</section>")[0]
    assert ["Result", "Others"] == re.findall(r"<strong><bdi>([^<]+)</bdi>:</strong>", own)[:2]


@pytest.mark.parametrize("brief", [False, True])
def test_the_note_on_a_data_set_is_in_every_form(results, houses, brief) -> None:
    """Of many runs once beside the verdict, of one with its result; in brief as well."""
    whole = Report(find_runs((), results), Datasets().load, brief=brief)
    first = render(whole).partition("<main>")[2].partition("</section>")[0]
    assert (1, 1) == (first.count(NOTE), houses.count(NOTE))
    alone = Report(find_runs((str(results / "houses"),), results), Datasets().load, brief=brief)
    assert 1 == render(alone).count(NOTE)


def test_in_brief_there_are_no_details(results) -> None:
    """Of several runs; of one, what is seldom read is left out."""
    whole = render(Report(find_runs((), results), Datasets().load, brief=True))
    assert ('<details class="run"' in whole, "Details of" in whole) == (False, False)
    found = find_runs((str(results / "houses"),), results)
    report = Report(found, Datasets().load, brief=True)
    (run,) = report.runs()
    titles = [section.title for section in run.sections]
    assert ["Result", "Learning curves", "Predictions", "Config"] == titles


def test_the_environment_is_folded(houses) -> None:
    """It is there, and closed."""
    fold = re.search(r'<details class="fold">\s*<summary>Environment and digests', houses)
    assert fold is not None
    assert "SHA-256 of the weights" in houses


def test_runs_are_listed_by_place(page) -> None:
    """In the table of all, then those without a place; the closed cards are in the same order."""
    runs = page.partition('<section id="runs">')[2]
    cards = re.findall(r'<summary><span class="place">(\d+)</span>.*?<bdi>(.*?)</bdi>', runs)
    flowers = [int(place) for place, name in cards if name.startswith("flowers")]
    assert (8, sorted(flowers)) == (len(flowers), flowers)
    keys = re.findall(r'<th scope="row">(?:<a [^>]+>)?<bdi>([^</]+/s[^<]+)<', runs)
    unreadable = ["broken/s3-00000000cc", "broken/s4-00000000dd", "broken/s5-00000000ee"]
    assert unreadable == sorted(keys[-3:])


def test_early_stopping_by_its_defaults_is_a_choice(results) -> None:
    """It is off by default, so that a run with it does not look like one without."""
    record = read_run(next((results / "houses").iterdir())).record
    config = json.loads(json.dumps(record.config))
    config["dataset"]["validation_size"] = 0.2
    stopping = {"monitor": "validation_loss", "patience": 5, "restore_best": True}
    config["training"]["early_stopping"] = stopping
    (settings,) = config_blocks(replace(record, config=config), [])
    chosen = {one.key for one in settings.chosen}
    assert {f"training.early_stopping.{key}" for key in stopping} <= chosen
