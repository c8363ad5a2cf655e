"""`nnrun train`: what it prints, what it writes, and what it leaves alone."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest


def test_a_run_ends_in_a_table_and_a_report(lab, cars):
    """The table names run and report; stderr stays silent when it is no terminal."""
    done = lab.ok("train", cars)
    assert "" == done.err
    run_id = lab.report()["run_id"]
    lines = done.out.splitlines()
    assert f"cars  {run_id}" == lines[0]
    assert f"report     results/cars/{run_id}/report.md" == lines[-1]
    assert any(line.split() == ["train", "test", "baseline", "test"] for line in lines)
    assert all(len(line) <= 80 for line in lines)
    assert "\x1b" not in done.out


def test_a_complete_run_is_shown_and_not_trained_again(lab, cars):
    """The second time the same table comes from the stored report."""
    first = lab("train", cars)
    written = (
        lab.report()["started"],
        Path(f"results/cars/{lab.report()['run_id']}/report.json").stat(),
    )
    second = lab.ok("train", cars)
    assert first.out == second.out
    assert "already trained; --force trains it again\n" == second.err
    after = Path(f"results/cars/{lab.report()['run_id']}/report.json").stat()
    assert (written[1].st_mtime_ns, written[1].st_ino) == (after.st_mtime_ns, after.st_ino)


def test_json_is_the_report_and_nothing_else(lab, cars):
    """stdout is report.json, whether the run is new or stored."""
    for _ in range(2):
        done = lab.ok("train", cars, "--json")
        assert lab.report() == done.json


def test_quiet_says_nothing(lab, cars):
    """With --quiet a good run prints nothing at all; data asked for with --json still comes."""
    assert ("", "") == (lab("train", cars, "-q").out, lab("train", cars, "--quiet").err)
    assert "cars" == lab.json("train", cars, "-q")["name"]


def test_iterations_replaces_epochs(lab, cars):
    """The smoke-run switch counts, and it takes the place of epochs."""
    lab.ok("train", cars, "training.epochs=5", "--iterations", "20")
    assert 20 == lab.report()["timing"]["iterations"]
    assert lab.report()["config"]["training"]["epochs"] is None


@pytest.mark.parametrize("by_environment", [True, False])
def test_results_can_lie_elsewhere(lab, cars, by_environment):
    """--results and NNRUN_RESULTS name the folder, which is made."""
    if by_environment:
        done = lab("train", cars, NNRUN_RESULTS="a/b")
    else:
        done = lab("train", cars, "--results", "a/b")
    assert 0 == done.code
    assert "completed" == lab.report("a/b/cars/*/report.json")["status"]
    assert not Path("results").exists()


def test_divergence_is_reported_in_full_each_time(lab, cars):
    """Exit 1 with the reason, when it happens and when it is found stored; the report is JSON."""
    wild = ["train", cars, "training.learning_rate=1e9"]
    first, second = lab(*wild), lab(*wild, "--json")
    assert (1, 1) == (first.code, second.code)
    record = lab.report()
    assert "diverged" == record["status"]
    assert f"error: {record['error']}\n" == first.err
    assert f"already trained; --force trains it again\nerror: {record['error']}\n" == second.err
    assert record == second.json
    assert f"cars  {record['run_id']}  diverged" == first.out.splitlines()[0]


def published(cars: str, numbers: str) -> str:
    path = Path(cars)
    path.write_text(f"{path.read_text()}published: {{source: a book, {numbers}}}\n")
    return cars


def test_published_numbers_are_shown_beside_ours(lab, cars):
    """A table with both, the difference, and its share; the source below."""
    done = lab("train", published(cars, "test_mse: 20.0"))
    row = lab.report()["published"][0]
    assert ("test_mse", 20.0) == (row["metric"], row["published"])
    line = next(line for line in done.out.splitlines() if line.startswith("test mse"))
    assert ["test", "mse", "20", f"{row['ours']:#.4g}"] == line.split()[:4]
    assert f"{row['difference'] / 20:+.1%}" == line.split()[-1]
    assert "published  a book" in done.out


def test_require_published_holds_a_run_to_its_numbers(lab, cars):
    """Exit 0 within the tolerance, 3 outside it with both numbers."""
    ours = None
    lab("train", cars)
    ours = lab.report()["metrics"]["test"]["mse"]
    for path in Path("results").rglob("report.json"):
        path.unlink()
    published(cars, f"test_mse: {ours * 1.2}")
    lab.ok("train", cars)
    done = lab("train", cars, "--require-published")
    assert 3 == done.code
    assert f"test mse: published {ours * 1.2:g}, ours {ours:#.4g}, 17% apart" in done.err
    lab.ok("train", cars, "--require-published", "--tolerance", "0.2")
    far = lab("train", cars, f"published.test_mse={ours / 2.7}", "--require-published")
    assert "170% apart" in far.err


def test_require_published_needs_something_to_require(lab, cars):
    """A config without published numbers, or a tolerance alone, is a usage error."""
    for arguments in (["--require-published"], ["--tolerance", "0.1"]):
        assert "--require-published" in lab.refused("train", cars, *arguments)
    assert not Path("results").exists()


def test_a_published_number_that_no_run_can_have_is_refused(lab, cars):
    """A published test error cannot be compared without a test split, so nothing is trained."""
    assert "published.test_mse: there is no test split" in lab.refused(
        "train", published(cars, "test_mse: 9"), "dataset.test_size=0", "--require-published"
    )
    assert not Path("results").exists()


def test_several_configs_are_for_sweep(lab, cars):
    """A second file is not taken for a setting."""
    assert "argument 'other.yaml': train takes one config" in lab.refused(
        "train", cars, "other.yaml"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing argument 'CONFIG'"),
        (["cars.yaml", "--iterations", "0"], "'--iterations'"),
        (["cars.yaml", "--iterations", "many"], "'--iterations'"),
        (["cars.yaml", "--results", "cars.yaml"], "'--results'"),
        (["cars.yaml", "--results", ""], "'--results'"),
        (["cars.yaml", "--tolerance", "-1"], "'--tolerance'"),
        (["cars.yaml", "--sead", "3"], "--sead"),
        (["cars.yaml", "seed"], "argument 'seed'"),
        (["cars.yaml", "seed=x"], "argument 'seed=x': seed"),
        (["cars.yaml", "training.lerning_rate=1"], "did you mean 'learning_rate'?"),
        (["cars.yaml", "network.layers.0.units=0"], "argument 'network.layers.0.units=0'"),
        (["cars.yaml", "network.layers.1.units=2"], "argument 'network.layers.1.units=2'"),
        (["crs.yaml"], "crs.yaml: there is no such file; did you mean 'cars.yaml'?"),
        (["first.yaml"], "first.yaml: there is no such file; `nnrun init first` writes first.yaml"),
        (["a/first.yaml"], "a/first.yaml: there is no such file\n"),
        (["rows.yaml"], "for rows.csv, `nnrun init NAME --data rows.csv` writes a config for it"),
        (["."], "is a folder"),
    ],
)
def test_errors_of_the_command_line_name_their_argument(lab, cars, arguments, said):
    """Exit 2, what it is about, and no results folder."""
    Path("rows.csv").write_text("a,y\n1,2\n")
    assert said in lab.refused("train", *arguments)
    assert not Path("results").exists()


@pytest.mark.parametrize("word", ["latest", "cars", "cars/s3", "results/cars/s3"])
def test_a_run_in_the_place_of_a_config_gets_a_hint(lab, cars, word):
    """Exit 2, with three commands, each of which works as it stands; nothing is trained."""
    lab("train", cars, "--results", "my runs")
    (folder,) = Path("my runs/cars").iterdir()
    given = word.replace("results/cars/s3", str(folder))
    message = lab.refused("train", given, "--results", "my runs")
    first, *lines = message.splitlines()
    assert f"error: '{given}' is no config; it is the run {folder}" == first
    commands = [shlex.split(line, comments=True) for line in lines]
    place = ["--results", "my runs"]
    assert [
        ["nnrun", "train", given, "--extend", "N", *place],
        ["nnrun", "verify", given, *place],
        ["nnrun", "train", str(folder / "config.yaml"), "--force", *place],
    ] == commands
    assert [folder] == list(Path("my runs/cars").iterdir())
    assert [0, 0, 0] == [
        lab(*[word.replace("N", "20") for word in words[1:]]).code
        for words in reversed(commands)  # the first of them makes a second run
    ]


RAW_BOSTON = """\
dataset: {name: boston}
network: {sizes: [13, 1], activations: [relu, linear]}
loss: mean_squared
training: {learning_rate: 0.001, iterations: 3000}
"""


def test_a_useless_run_says_so_in_its_table(lab):
    """One line with what is wrong and what to try; the report has it as data and for people."""
    Path("raw.yaml").write_text(RAW_BOSTON)
    done = lab.ok("train", "raw.yaml", "training.learning_rate=1e-7")
    line = " ".join(done.out.split())
    expected = (
        "warning Worse than always predicting the mean, on training and test data. Features "
        "differ in scale: TAX reaches 711 and NOX 0.871, a factor of 816; try "
        "dataset.features=standard."
    )
    assert expected in line
    kinds = [warning["kind"] for warning in lab.report()["warnings"]]
    assert ["worse_than_baseline", "feature_scale"] == kinds[:2]
    written = next(Path("results").rglob("report.md")).read_text()
    assert all(warning["message"][1:] in written for warning in lab.report()["warnings"])


def test_a_config_with_folds_trains_the_first_and_says_so(lab, cars):
    """And how to train all; a fold that is named needs no word."""
    done = lab("train", cars, "dataset.folds=4")
    assert (0, f"fold 1 of 4; `nnrun sweep {cars} dataset.folds=4` trains all folds\n") == (
        done.code,
        done.err,
    )
    assert "fold 1 of 4" in done.out
    assert 1 == lab.report()["config"]["dataset"]["fold"]
    named = lab("train", cars, "dataset.folds=4", "dataset.fold=1")
    assert "already trained; --force trains it again\n" == named.err
