"""A sweep in parts, as the jobs of an array train them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from dataclasses import replace

import pytest

from nnrun.errors import UsageError
from nnrun.runs.storage import store as stores
from nnrun.runs.storage.sealed import read_sealed, sealed_json
from nnrun.runs.storage.store import Store
from nnrun.sweeps.planning.plan import Shard
from tests.forging import reseal
from tests.forked import COMMANDS, Forked
from tests.lab import invoke_well
from tests.sweeps.helpers import BOSTON, IRIS, weights_of

GRID = ("training.learning_rate=0.05,0.01", "training.iterations=20,60", "--seeds", 6)
SHOP = """\
dataset:
  path: ../shop.csv
  columns: {target: y, features: [x, kind], categorical: [kind]}
  split: {by: time, column: x}
  folds: 3
network: {sizes: [1], activations: [linear]}
loss: mean_squared
training: {learning_rate: 0.001, epochs: 2, batch_size: 8}
"""
FILES = ("leaderboard.json", "leaderboard.csv", "leaderboard.md")
# Locks of one process do not hold for others, as on a disk that several machines share.
_WITHOUT_LOCKS = (
    "import fcntl; fcntl.flock = lambda *_: None; from nnrun.__main__ import main; main()"
)


def part(made, number, of):
    return replace(made, shard=Shard(number, of))


@pytest.mark.parametrize("of", [1, 2, 3, 7, 48, 60])
def test_shards_are_a_partition(plan, write, of):
    """Each run is in one shard, and shards differ by one run at most."""
    made = plan(write("iris"), write("boston", BOSTON), *GRID[:2], seeds=6)
    found = [[run.key for run in part(made, k + 1, of).runs()] for k in range(of)]
    assert Counter(run.key for run in made.runs()) == Counter(key for keys in found for key in keys)
    assert [len(part(made, k + 1, of)) for k in range(of)] == [*map(len, found)]
    assert max(map(len, found)) - min(map(len, found)) <= 1


def test_shards_take_equally_long(plan, write):
    """By the estimates, within one run, though one setting takes a hundred times as long."""
    made = plan(write("iris"), "training.iterations=10000,100,100", "training.batch_size=1,8")
    times = [part(made, k, 2).seconds for k in (1, 2)]
    longest = max(variant.estimate.seconds for variant in made.variants)
    assert abs(times[0] - times[1]) <= longest
    assert made.seconds == pytest.approx(sum(times))


def test_shards_have_the_same_seeds_of_all_settings(plan, write):
    """So the rows of a shard's board are compared over common seeds."""
    made = plan(write("iris"), *GRID[:2], seeds=6)
    for number in (1, 2, 3):
        seeds = Counter(run.seed for run in part(made, number, 3).runs())
        assert {4} == {*seeds.values()}
        assert {2 + number, 5 + number} == {*seeds}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3", "--shard 3: give K/N for the K-th of N parts, such as 3/10"),
        ("a/3", "--shard a/3: give K/N for the K-th of N parts, such as 3/10"),
        ("-1/3", "--shard -1/3: give K/N for the K-th of N parts, such as 3/10"),
        ("²/3", "--shard ²/3: give K/N for the K-th of N parts, such as 3/10"),
        ("1/2/3", "--shard 1/2/3: give K/N for the K-th of N parts, such as 3/10"),
        ("0/3", "--shard 0/3: K goes from 1 to 3; in an array of jobs that counts from 0, "
         "add 1 to K"),
        ("4/3", "--shard 4/3: K goes from 1 to 3"),
        ("1/0", "--shard 1/0: a sweep has at least one part, 1/1"),
    ],
)  # fmt: skip
def test_what_is_no_shard_is_refused(text, message):
    """With the text, and what can be given instead."""
    with pytest.raises(UsageError) as caught:
        Shard.parse(text)
    assert message == str(caught.value)


def test_a_wrong_shard_leaves_nothing(wide, write, tmp_path):
    """It is a mistake of the command line: exit code 2, one line, no folder."""
    write("iris")
    code, out, err = wide("sweep", "configs", "--shard", "4/3")
    assert (2, "", "error: --shard 4/3: K goes from 1 to 3\n") == (code, out, err)
    assert 2 == wide("sweep", "configs", "--shard", "1/3", "--replication")[0]
    assert not (tmp_path / "results").exists()


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Results folders of three shards, and of the same sweep in one."""
    root = tmp_path_factory.mktemp("shards")
    (root / "iris.yaml").write_text(IRIS)
    (root / "boston.yaml").write_text(BOSTON)
    words = ["sweep", str(root), *map(str, GRID)]
    done = {"root": root, "words": words}
    for number in (1, 2, 3):
        results = str(root / f"part{number}")
        shown = invoke_well(*words, "--shard", f"{number}/3", "--results", results, "--json")
        done[number] = shown.json, shown.err
    return done


def test_networks_of_several_sizes_have_one_number_on_the_merged_board(wide, write, tmp_path):
    """Later folds train on more categories, so that their networks are larger."""
    rows = [f"{n},{'abcd'[n // 10]},{n % 5}" for n in range(40)]
    (tmp_path / "shop.csv").write_text("\n".join(["x,kind,y", *rows]))
    write("shop", SHOP)
    assert 0 == wide("sweep", "configs", "--results", "whole")[0]
    found = (tmp_path / "whole").glob("shop/*/report.json")
    sizes = sorted(json.loads(each.read_text())["network"]["parameters"] for each in found)
    assert [3, 4, 5] == sizes
    for number in (1, 2):
        ours = ("--shard", f"{number}/2", "--results", f"part{number}")
        assert 0 == wide("sweep", "configs", *ours)[0]
        shutil.copytree(tmp_path / f"part{number}", tmp_path / "results", dirs_exist_ok=True)
    merged_board = wide.json("ls", "--leaderboard")
    board = json.loads((tmp_path / "whole" / "leaderboard.json").read_text())
    shown = [each["groups"][0]["rows"][0]["parameters"] for each in (board, merged_board)]
    assert [5, 5] == shown


def test_a_shard_says_that_it_is_one(shards):
    """In JSON, in the lines of progress, and on the board with what is missing."""
    data, err = shards[2]
    assert ("2/3", 16, 48, 16) == tuple(
        data[key] for key in ("shard", "runs", "runs_of_all_shards", "trained")
    )
    rest = data["leaderboard"]["unfinished"]
    assert ("2/3", 48, 32, [1, 3]) == tuple(
        rest[key] for key in ("shard", "runs", "missing", "shards")
    )
    assert {2} == {row["runs"] for group in data["leaderboard"]["groups"] for row in group["rows"]}
    assert "[shard 2/3,  1/16] " in err
    assert "shard 2/3, 16 of 48 runs: 16 trained in " in err
    text = (shards["root"] / "part2" / "leaderboard.md").read_text()
    assert "Unfinished, after shard 2/3: 32 of 48 runs, of shards 1,3, are missing" in text


def merged(shards, into, order=(1, 2, 3)):
    for number in order:
        shutil.copytree(shards["root"] / f"part{number}", into, dirs_exist_ok=True)


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
def test_copied_together_they_are_one_sweep(shards, wide, tmp_path, order):
    """The board of the merged folder is that of the whole sweep over it, byte for byte."""
    merged(shards, tmp_path / "results", order)
    code, out, err = wide("ls", "--leaderboard", "--json")
    assert 0 == code, err
    assert "leaderboard.json was that of a shard; it is made again\n" in err
    ours = {name: (tmp_path / "results" / name).read_bytes() for name in FILES}
    assert json.loads(out) == read_sealed(tmp_path / "results/leaderboard.json")
    assert "unfinished" not in json.loads(out)
    assert 0 == wide(*shards["words"])[0]
    assert ours == {name: (tmp_path / "results" / name).read_bytes() for name in FILES}


def test_what_is_copied_over_is_not_believed(shards, wide, tmp_path):
    """An index of another folder with its journal, leftovers of a write, a forged board."""
    results = tmp_path / "results"
    merged(shards, results)
    assert 0 == wide("ls", "--results", shards["root"] / "part1")[0]
    (results / ".index.sqlite").write_bytes(b"SQLite format 3\0" + bytes(4096))
    (results / ".index.sqlite-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" * 99)
    (results / ".leaderboard.json.00000000.partial").write_text("{")

    def forge(board):
        board["groups"][0]["rows"][0]["mean"] = 99.0

    reseal(results / "leaderboard.json", forge)
    code, out, err = wide("ls", "--leaderboard", "--json")
    assert 0 == code, err
    assert 99.0 not in [row["mean"] for group in json.loads(out)["groups"] for row in group["rows"]]
    assert 48 == len(wide.json("ls"))
    assert 0 == wide("report")[0]
    assert 0 == wide("best", "iris")[0]
    assert 0 == wide("verify", "iris/best", "boston/best")[0]


def test_a_board_that_names_other_folders_is_damaged(shards, wide, tmp_path):
    """A row of an unfinished board names runs by their ids, and no path."""
    merged(shards, tmp_path / "results")
    file = tmp_path / "results/leaderboard.json"
    board = read_sealed(file)
    for key, value in (
        ("name", "../iris"),
        ("runs", ["../../iris"]),
        ("first", "x"),
        ("choice", 3),
    ):
        other = json.loads(json.dumps(board))
        other["unfinished"]["rows"][0][key] = value
        file.write_bytes(sealed_json(other))
        assert "; the same sweep again writes it anew" in wide.refused("ls", "--leaderboard")


def test_one_shard_less_is_said(shards, wide, tmp_path):
    """The shards to train again are named as job schedulers take them."""
    merged(shards, tmp_path / "results", (1, 3))
    code, out, _ = wide("ls", "--leaderboard")
    assert 0 == code
    assert "after shard 3/3: 16 of 48 runs, of shard 2, are missing in this folder." in out


def test_more_shards_than_runs(wide, write):
    """A job without any run ends well."""
    write("iris")
    for number in (1, 2):
        assert 0 == wide("sweep", "configs", "--shard", f"{number}/2")[0]
    code, out, _ = wide("sweep", "configs", "--shard", "2/2", "--json")
    assert (0, 0) == (code, json.loads(out)["runs"])
    assert "unfinished" not in json.loads(out)["leaderboard"]


def test_a_shard_is_counted_before_it_starts(wide, write):
    """--dry-run shows its runs alone."""
    write("iris")
    code, out, _ = wide("sweep", "configs", "--shard", "2/3", "--seeds", 7, "--dry-run")
    assert 0 == code
    assert "Shard 2/3: 2 runs" in out
    assert "2 of 7" in out


@pytest.mark.parametrize("locks", [True, False])
def test_shards_at_the_same_time_in_one_folder(shards, tmp_path, locks):
    """The last to end writes the whole board, also where locks do not reach other machines."""
    words = [*shards["words"], "--results", str(tmp_path / "shared"), "--quiet"]
    start = ["nnrun"] if locks else ["-c", _WITHOUT_LOCKS]
    running = [
        Forked(
            COMMANDS,
            [*start, *words, "--shard", f"{number}/3", "-j", "1"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for number in (1, 2, 3)
    ]
    assert [b""] * 3 == [process.communicate()[1] for process in running]
    assert "unfinished" not in json.loads((tmp_path / "shared/leaderboard.json").read_text())
    whole = {}
    for number in (1, 2, 3):
        whole |= weights_of(shards["root"] / f"part{number}")
    assert whole == weights_of(tmp_path / "shared")


def test_a_file_that_another_machine_has_tidied_away_is_written_again(tmp_path, monkeypatch):
    """Where locks do not reach other machines, one may remove another's unfinished files."""
    real, calls = stores.write_together, []

    def interfered(root, files):
        calls.append(root)
        if len(calls) == 1:
            raise FileNotFoundError(2, "No such file or directory")
        real(root, files)

    monkeypatch.setattr(stores, "write_together", interfered)
    Store(tmp_path, lambda _: "").write({"leaderboard.md": b"board"})
    assert b"board" == (tmp_path / "leaderboard.md").read_bytes()
