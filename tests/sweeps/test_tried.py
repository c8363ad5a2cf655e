"""Other readings of columns, tried on folds: `nnrun init --try`, and a search without a config."""

from __future__ import annotations

import itertools
import math
import random
from contextlib import chdir
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import nnrun
from nnrun.config.load import load_config
from nnrun.config.overrides import parse_overrides
from nnrun.config.scaffold.findings import Findings, Problem
from nnrun.config.scaffold.from_data import Draft, draft
from nnrun.config.scaffold.tried import Tried, with_taken
from nnrun.runs.preparation.prepare import prepare
from nnrun.sweeps import tried as trying
from tests.cli.tables import TABLES, write_table

ROWS = 800
NEVER, AT_ONCE = lambda: 0.0, lambda: next(_ticks)
_ticks = itertools.count(0.0, 1e6)


def table(seed: int = 1, **more: list) -> pd.DataFrame:
    """Times that `flight` and `gate` tell, which are keys, and `rooms` and `noise` do not."""
    rng = random.Random(seed)
    keys = {name: rng.sample(range(1000, 9999), 105) for name in ("flight", "gate_id")}
    places = {name: [rng.randrange(105) for _ in range(ROWS)] for name in keys}
    columns = {name: [keys[name][at] for at in places[name]] for name in keys}
    late = [10 * math.sin(a) + 10 * math.cos(b) for a, b in zip(*places.values(), strict=True)]
    columns |= {"rooms": [rng.randrange(1, 6) for _ in late], "noise": [rng.random() for _ in late]}
    columns |= {"late": [round(value + rng.gauss(0, 1), 3) for value in late]}
    return pd.DataFrame({**columns, **more})


@pytest.fixture(autouse=True, scope="module")
def few_epochs():
    """Trials that take a tenth of a second each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trying, "_VISITS", 16_000)
        yield


@pytest.fixture(scope="module")
def every(tmp_path_factory, few_epochs):
    """What comes of all readings of the table, with time for all."""
    with chdir(tmp_path_factory.mktemp("every")):
        return trying.try_readings(*found_in(table()), clock=NEVER)


def found_in(frame: pd.DataFrame, target: str = "late") -> tuple[Draft, list[Problem]]:
    """The draft for a table, and its problems."""
    frame.to_csv("t.csv", index=False)
    made = draft(Path("t.csv"), target, Path.cwd())
    assert made.table is not None
    return made, Findings(*made.table, "t.yaml").problems


def outcomes(tried: list[Tried]) -> dict[str, str]:
    """What became of each reading, by its columns."""
    return {" ".join(["together"] * one.together + [*one.columns]): one.outcome for one in tried}


def test_readings_that_are_better_beyond_chance_are_taken_and_others_are_not(every):
    """Two keys that tell the target, each by itself and both; others stay as drafted."""
    expected = {"flight": "taken", "gate_id": "taken", "rooms": "kept"}
    assert {**expected, "together gate_id flight": "taken"} == outcomes(every)
    assert all(one.reading < one.draft for one in every if one.outcome == "taken")
    assert {"RMSE of late"} == {one.metric for one in every}


def test_the_config_has_what_was_taken_with_a_comment_and_json_has_both_results(lab, monkeypatch):
    """What is printed and written is what `check` accepts, and the table says what was tried."""
    monkeypatch.setattr(trying, "try_readings", partial(trying.try_readings, clock=NEVER))
    table().to_csv("t.csv", index=False)
    said = lab.ok("init", "--data", "t.csv", "--target", "late", "--try").said
    assert (
        "trying 3 other readings of columns on 5 folds, 2 times over, for 20 s at the most" in said
    )
    assert "columns.categorical=[rooms]: RMSE of late" in " ".join(said.split())
    text = Path("t.yaml").read_text(encoding="utf-8")
    [line] = [line for line in text.splitlines() if line.startswith("    target_mean:")]
    columns = yaml.safe_load(text)["dataset"]["columns"]
    assert ({"flight", "gate_id"}, []) == ({*columns["target_mean"]}, columns.get("drop", []))
    shown = lab.json("init", "again", "--data", "t.csv", "--target", "late", "--try", "20")
    first = shown["tried"][0]
    assert "# tried: RMSE of late " in line
    assert f"RMSE of late {first['reading']:.4g}, as drafted {first['draft']:.4g}" in line
    becomes = {one["name"]: one["becomes"] for one in shown["columns"]}
    assert "target mean (tried)" == becomes["flight"] == becomes["gate_id"]
    assert ["nnrun train again.yaml 'dataset.columns.categorical=[rooms]'"] == shown["alternatives"]
    lab.ok("check", "t.yaml")
    assert not Path("results").exists()


def test_targets_of_test_rows_do_not_change_what_is_taken(folder, every):
    """Other values in the draft's test rows give the same results to the last bit."""
    frame = table()
    made, _ = found_in(frame)
    Path("t.yaml").write_text(made.text, encoding="utf-8")
    prepared = prepare(load_config(Path("t.yaml")))
    test = prepared.split.held_out["test"].rows
    frame.loc[test, "late"] = frame["late"].sample(len(test), random_state=3).to_numpy() + 7.5
    assert ROWS // 5 == len(test)
    assert every == trying.try_readings(*found_in(frame), clock=NEVER)


def test_each_other_row_is_held_out_once_in_each_division(folder, monkeypatch):
    """By the numbers of rows in the file: folds are of all rows but those of the test."""
    runs, execute = [], trying.execute
    monkeypatch.setattr(
        trying, "execute", lambda run, *rest: runs.append(run) or execute(run, *rest)
    )
    made, problems = found_in(table())
    trying.try_readings(made, problems[:1], clock=NEVER)
    Path("t.yaml").write_text(made.text, encoding="utf-8")
    split = prepare(load_config(Path("t.yaml"))).split
    others = np.sort(np.concatenate([split.train.rows, split.validation.rows])) + 1
    for part in (runs[:5], runs[5:10], runs[10:15], runs[15:]):
        held_out = [run.dataset.row_numbers[run.split.test.rows] for run in part]
        assert others.tolist() == np.sort(np.concatenate(held_out)).tolist()
        used = [run.dataset.row_numbers[run.split.train.rows] for run in part]
        assert not {*np.concatenate(used)} - {*others}


def test_the_clock_decides_which_readings_are_tried_and_nothing_else(folder, every):
    """Without time none is; a reading that had time has the bits that it has with more."""
    made, problems = found_in(table())
    none = trying.try_readings(made, problems, clock=AT_ONCE)
    assert {"not tried"} == {one.outcome for one in none}
    assert made.text == with_taken(made, none).text
    asked: list[int] = []
    trying.try_readings(made, problems[:1], clock=lambda: float(bool(asked.append(0))))
    ticks = iter([0.0] * (len(asked) + 1))
    part = trying.try_readings(made, problems, 1.0, clock=lambda: next(ticks, 2.0))
    assert [every[0], *none[1:]] == part


def test_with_no_time_to_check_them_together_only_the_best_is_taken(folder, every):
    """What is better alone may not be so beside another one."""
    each = every[:2]
    found = trying._Trial(found_in(table())[0], 1.0, lambda: 2.0, 2).together(each)
    best = min(each, key=lambda one: one.reading or 0.0)
    assert [best.columns] == [one.columns for one in found if one.outcome == "taken"]
    assert ("not tried", True) == (found[-1].outcome, found[-1].together)


def test_a_reading_that_cannot_be_trained_is_named_with_its_mistake(folder):
    """The others are tried all the same."""
    made, problems = found_in(table(blank=[""] * ROWS))
    wrong = Problem(["blank"], "", readings={"blank": "number"})
    found = trying.try_readings(made, [wrong, problems[0]], clock=NEVER)
    assert ["not possible", "taken"] == [one.outcome for one in found]
    assert "'blank'" in found[0].why


@pytest.mark.parametrize("name", TABLES)
def test_a_draft_with_a_reading_says_what_the_overrides_say(folder, name):
    """Of each alternative of real tables, whatever keys it changes."""
    _, data, *rest = write_table(name)
    made = draft(Path(data), rest[-1] if rest else None, Path.cwd())
    for problem in Findings(*made.table, "x.yaml").problems:
        if problem.readings:
            tried = Tried(problem.readings, problem.arguments, "taken", "RMSE", 2.0, 1.0)
            data = yaml.safe_load(with_taken(made, [tried]).text)["dataset"]
            for change in parse_overrides(problem.arguments)[0]:
                block, key = change.steps[-2:]
                there = data[block].get(key) if block == "columns" else data[block].get(key, False)
                assert sorted(change.value or []) == sorted(there or [])


def test_ctrl_c_leaves_nothing(lab, monkeypatch):
    """No config and no results, with the exit code of an interruption."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trying, "execute", interrupted)
    table().to_csv("t.csv", index=False)
    done = lab("init", "--data", "t.csv", "--target", "late", "--try", "--html", "t.html")
    assert (130, ["t.csv"]) == (done.code, [file.name for file in Path().iterdir()])


def test_try_is_about_the_columns_of_a_table(lab):
    """Arrays have none; and a name after it would be its time."""
    np.savez("x.npz", x=np.ones((9, 2)), y=np.arange(9.0))
    assert "--try is about the columns of a table" in lab.refused(
        "init", "--data", "x.npz", "--try"
    )
    assert "--try is about" in lab.refused("init", "--try")
    said = lab.refused("init", "--data", "x.npz", "--try", "mine")
    assert "--try: 'mine' is not a time above 0, like 20s or 2m" in said
    assert ["x.npz"] == [file.name for file in Path().iterdir()]


def test_a_search_of_data_tries_for_a_tenth_of_its_time_and_goes_on_with_the_same(lab, monkeypatch):
    """The readings are in search.json, so that the same command continues the same search."""
    table().to_csv("t.csv", index=False)
    calls = []

    def tried(made: Draft, problems: list[Problem], seconds: float, begin: object) -> list[Tried]:
        calls.append(seconds)
        return [Tried(problems[0].readings, problems[0].arguments, "taken", "RMSE", 2.0, 1.0)]

    monkeypatch.setattr("nnrun.search.plan.try_readings", tried)
    words = ["t.csv", "--target", "late", "--trials", "1", "--no-random", "members=1"]
    lab.ok("search", *words, "--iterations", "20", "name=other")
    assert [] == calls
    words += ["--time", "600", "--iterations", "30"]
    said = [lab.ok("search", *words).said for _ in range(2)]
    more = {"trials": 1, "time": 600, "iterations": 30, "random": False}
    again = nnrun.search("t.csv", {"members": 1}, target="late", **more)
    assert ([60.0], 1) == (calls, len(again.content["tried"]["readings"]))
    assert all("tried: with columns.drop=" in text for text in said)
    content = yaml.safe_load(Path("results/t/search.json").read_text(encoding="utf-8"))
    [reading] = content["tried"]["readings"]
    for run in content["winner"]["run_ids"]:
        report = yaml.safe_load(Path(f"results/t/{run}/report.json").read_text(encoding="utf-8"))
        assert [*reading["readings"]] == report["config"]["dataset"]["columns"]["target_mean"]


def slopes(told: bool) -> pd.DataFrame:
    """Towns with few rows each, whose slopes or means the target has."""
    rng = random.Random(3)
    towns = [(rng.gauss(0, 3), rng.gauss(0, 3)) for _ in range(60)]
    rows = [(rng.randrange(60), rng.gauss(0, 1)) for _ in range(ROWS)]
    y = [x * towns[at][0] if told else towns[at][1] + rng.gauss(0, 1) for at, x in rows]
    return pd.DataFrame({"town": [f"t{at}" for at, _ in rows], "x": [x for _, x in rows], "y": y})


@pytest.mark.parametrize(("told", "key"), [(True, "embedding"), (False, "target_mean")])
def test_a_draft_reads_many_categories_as_folds_say(lab, told, key):
    """By the command and in Python, of files and of tables: means cannot tell slopes."""
    frame = slopes(told).round(4)
    frame.to_csv("t.csv", index=False)
    lab.ok("init", "--data", "t.csv", "--target", "y", "-q")
    columns = yaml.safe_load(Path("t.yaml").read_text(encoding="utf-8"))["dataset"]["columns"]
    assert ["town"] == [*columns[key]]
    for data in ("t.csv", frame):
        assert columns == nnrun.init(data, "y")["dataset"]["columns"]


def test_a_large_table_has_the_draft_without_a_trial(folder, monkeypatch):
    """A trial of many rows takes longer than a draft should."""
    monkeypatch.setattr(trying, "_MOST_ROWS", ROWS - 1)
    made, _ = found_in(slopes(told=True), "y")
    assert made is trying.settled(made, pytest.fail)
