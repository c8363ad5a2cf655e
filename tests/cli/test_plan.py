"""`nnrun plan`, and sweeps that hold to a plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nnrun.runs.storage.sealed import read_sealed
from nnrun.sweeps.planning import frozen
from tests.forging import reseal
from tests.lab import CARS, write

GRID = "training.learning_rate=0.1,0.01"
PLAN = f"plan cars.yaml {GRID} --seeds 3 --margin 0.5 -o plan.json"
BOARD = Path("results/leaderboard.json")


@pytest.fixture
def planned(lab):
    """A plan of two settings with three seeds each."""
    lab.begin({"cars.yaml": CARS}, PLAN)
    return lab


def test_a_plan_has_what_is_compared_and_trains_nothing(planned):
    """Resolved configs, seeds, the metric and split of the order, the margin, and the digests."""
    plan = read_sealed(Path("plan.json"))
    row = plan["settings"][1]
    assert [0.1, 0.01] == [r["choice"]["training.learning_rate"] for r in plan["settings"]]
    assert (0.5, ["cars.yaml"]) == (plan["margin"], [*plan["configs"]])
    assert ([3, 4, 5], "mse", "test") == (row["seeds"], row["metric"], row["ordered_by"])
    assert ("float64", 0.01) == tuple(
        row["config"]["training"][k] for k in ("dtype", "learning_rate")
    )
    assert 64 == len(row["data"]) == len(row["digest"])
    assert not Path("results").exists()


def test_a_sweep_trains_what_the_plan_says_and_its_board_has_the_plan(planned):
    """Terminal, Markdown, page and JSON say planned, with digest and date."""
    done = planned.ok("sweep", "--plan", "plan.json")
    board = json.loads(BOARD.read_text())
    plan = read_sealed(Path("plan.json"))
    digest = json.loads(Path("plan.json").read_text())["file_sha256"]
    assert {"digest": digest, "made": plan["made"]} == board["planned"]
    assert ("planned", 0.5) == (board["basis"], board["groups"][0]["margin"])
    settings = {
        (row["name"], row["runs"], row["before_plan"]) for row in board["groups"][0]["rows"]
    }
    assert {("cars", 3, 0)} == settings
    planned.ok("report", "-o", "page.html")
    shown = planned.ok("ls", "--leaderboard").out
    pages = [
        done.out,
        shown,
        Path("results/leaderboard.md").read_text(),
        Path("page.html").read_text(),
    ]
    for page in pages:
        text = " ".join(page.split())
        assert f"by the plan {digest[:12]}, before any of these runs began" in text
        assert plan["made"][:19] in text
        assert "Planned, ordered by test" in text


def test_other_boards_say_explored(planned):
    """A sweep of the same runs without the plan, and a page with runs that it does not have."""
    planned.ok("sweep", "--plan", "plan.json")
    planned.ok("train", "cars.yaml", "training.learning_rate=0.1", "seed=9")
    planned.ok("report", "-o", "page.html")
    page = Path("page.html").read_text()
    assert "Explored, ordered by test" in page
    assert "by the plan" not in page
    done = planned.ok("sweep", "cars.yaml", GRID, "--seeds", "3")
    board = json.loads(BOARD.read_text())
    assert ("explored", None) == (board["basis"], board.get("planned"))
    assert "Explored, ordered by test" in done.out


@pytest.mark.parametrize("shards", [(), ("1/2", "2/2")], ids=["whole", "shards"])
def test_runs_from_before_the_plan_are_named(lab, shards):
    """With their settings, also where shards are put together."""
    lab.begin({"cars.yaml": CARS}, "train cars.yaml training.learning_rate=0.1 seed=4", PLAN)
    parts = [lab.ok("sweep", "--plan", "plan.json", "--shard", shard) for shard in shards]
    done = parts[-1] if parts else lab.ok("sweep", "--plan", "plan.json")
    said = "1 of 6 runs was there before the plan: learning rate 0.1 (1 of 3)."
    assert said in " ".join(done.out.split())
    if parts:
        assert " ".join(parts[0].out.split()).startswith("Planned at")


def test_a_board_that_is_made_again_after_a_shard_has_the_plan(planned):
    """Once the other runs are there, by whatever they were trained."""
    planned.ok("sweep", "--plan", "plan.json", "--shard", "1/2")
    for rate in ("0.1", "0.01"):
        for seed in ("3", "4", "5"):
            planned.ok("train", "cars.yaml", f"training.learning_rate={rate}", f"seed={seed}")
    done = planned.ok("ls", "--leaderboard")
    assert "it is made again" in done.err
    assert "before any of these runs began" in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("cars.yaml", "argument 'cars.yaml': --plan says"),
        (GRID, f"argument '{GRID}': --plan says"),
        ("--seeds 5", "leave out --seeds"),
        ("--iterations 5", "leave out --iterations"),
        ("--order-by r2", "leave out --order-by"),
        ("--margin 0", "leave out --margin"),
        ("--beside linear", "leave out --beside"),
        ("--recursive --seeds 2", "leave out --seeds and --recursive"),
        ("--max-runs 5", "this sweep would have 6 runs"),
    ],
)
def test_what_would_change_the_plan_is_refused(planned, words, said):
    """Exit 2, and nothing is trained."""
    assert said in planned.refused("sweep", "--plan", "plan.json", *words.split())
    assert not Path("results").exists()


def test_a_plan_that_was_edited_is_damaged(planned):
    """Be it by a number of seeds."""
    text = Path("plan.json").read_text()
    write("plan.json", text.replace('"seeds": 3,', '"seeds": 4,'))
    assert "plan.json is damaged: it is not the file that" in planned.refused(
        "sweep", "--plan", "plan.json"
    )


def test_data_that_changed_are_refused(lab):
    """A plan finds data below its folder from anywhere, and trains on no others."""
    rows = "".join(f"{x},{2 * x % 7}\n" for x in range(40))
    config = CARS.replace(
        "{name: autompg,", "{path: ../data/c.csv, columns: {target: y}, test_size: 0.3,"
    )
    files = {"configs/cars.yaml": config, "data/c.csv": f"x,y\n{rows}"}
    lab.begin(files, "plan configs/cars.yaml -o plan.json")
    (written,) = read_sealed(Path("plan.json"))["configs"].values()
    assert "data/c.csv" == written["dataset"]["path"]
    lab.ok("sweep", "--plan", "plan.json", "--dry-run")
    write("data/c.csv", f"x,y\n1,1\n{rows}")
    assert "the data of cars have changed since the plan" in lab.refused(
        "sweep", "--plan", "plan.json"
    )


def forged(key, value):
    return lambda content: content.update({key: value})


def deep(change):
    return lambda content: change(content["configs"]["cars.yaml"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (forged("schema_version", 2), "no plan, or of another version"),
        (forged("made", "yesterday"), "no plan, or of another version"),
        (forged("margin", -1), "no plan, or of another version"),
        (forged("seeds", 0), "no plan, or of another version"),
        (forged("settings", [{}]), "no plan, or of another version"),
        (forged("settings", []), "no plan, or of another version"),
        (forged("settings", [{"runs": "3"}]), "no plan, or of another version"),
        (forged("configs", []), "no plan, or of another version"),
        (forged("more", 1), "no plan, or of another version"),
        (forged("arguments", ["seed=range(0,99999999)"]), "holds no numbers, or more than"),
        (forged("seeds", 1000), "would train other runs"),
        (deep(lambda config: config.update(name="../out")), "letters, digits"),
        (deep(lambda config: config.update(loss="none")), "loss"),
        (deep(lambda config: config.update(dataset={"path": "../../x.csv"})), "needs"),
        (deep(lambda config: config["training"].update(iterations=9)), "would train other runs"),
    ],
)
def test_a_plan_of_others_is_checked_as_a_config_is(planned, change, said):
    """Even where its digest agrees: exit 2 without a traceback, and nothing is written."""
    reseal(Path("plan.json"), change)
    answer = planned.refused("sweep", "--plan", "plan.json")
    assert said in answer
    assert "internal error" not in answer
    assert ["cars.yaml", "plan.json"] == sorted(path.name for path in Path().iterdir())


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 9999, b"\xff\xfe", b'{"a": NaN}'])
def test_a_file_that_is_no_plan_is_refused(planned, content):
    """Whatever it holds."""
    write("plan.json", content)
    assert "plan.json is damaged" in planned.refused("sweep", "--plan", "plan.json")


def test_sizes_are_bounded(planned, monkeypatch):
    """Of files that are read, and of what is written."""
    monkeypatch.setattr(frozen, "MOST_BYTES", 100)
    assert "it is far too large" in planned.refused("sweep", "--plan", "plan.json")
    assert "a plan has at most 100 bytes" in planned.refused(*PLAN.split())
    monkeypatch.setattr(frozen, "MOST_SETTINGS", 1)
    assert "at most 1 settings, not 2" in planned.refused(*PLAN.split())


def test_a_damaged_board_of_a_plan_is_no_silent_change_of_the_page(planned):
    """The page names the file."""
    planned.ok("sweep", "--plan", "plan.json")
    (own,) = Path("results").glob("leaderboard-cars-*.json")
    own.write_bytes(own.read_bytes()[:-50])
    assert f"{own} is damaged" in planned.ok("report", "-o", "page.html").said
