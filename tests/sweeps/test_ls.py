"""`nnrun ls`: reads back what is there, and bears with what should not be."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from nnrun.runs.storage.durable import acquire
from tests.forging import reseal, said
from tests.sweeps.helpers import BOSTON, IRIS, WILD


def test_runs_are_listed(wide, write):
    """Name and id as other commands take them, status and main metric."""
    write("iris")
    wide("sweep", "configs", "--seeds", 2)
    code, out, _ = wide("ls")
    assert 0 == code
    assert 2 == out.count("iris/s")
    assert 2 == out.count("completed")
    assert "2 runs" in out
    listed = wide.json("ls")
    assert [3, 4] == sorted(row["seed"] for row in listed)
    report = said(Path("results/iris", listed[0]["run_id"], "report.json"))
    assert report["metrics"]["test"]["accuracy"] == listed[0]["test"]
    assert 1 == len(wide.json("ls", "-n", 1))
    assert 2 == len(wide.json("ls", "iris"))


def test_a_name_that_is_none_is_reported(wide, write):
    """A slip of the pen is no empty table."""
    write("iris")
    wide("sweep", "configs")
    assert "no run in results is called 'irris'; did you mean 'iris'?" in wide.refused(
        "ls", "irris"
    )


def test_folders_that_cannot_be_experiments_are_said(wide, write):
    """A copy whose name has a space is not listed, and named; folders without runs are not."""
    write("iris")
    wide("sweep", "configs")
    for name in ("of mine", "notes of mine"):
        Path("results", name).mkdir()
    folder = next(Path("results/iris").glob("s*"))
    shutil.copytree(folder, Path("results/of mine", folder.name))
    _, out, err = wide("ls")
    assert "1 run" in out
    assert "not listed: runs in 'of mine'; rename the folder: 1 to 100 letters, digits" in err
    assert "not listed" not in wide("ls", "iris")[2]


def test_the_leaderboard_is_read_back(wide, write):
    """It is shown as the sweep has shown it."""
    write("iris")
    _, shown, _ = wide("sweep", "configs", "--seeds", 2)
    assert (0, shown) == wide("ls", "--leaderboard")[:2]
    board = wide.json("ls", "--leaderboard")
    assert "iris" == board["groups"][0]["rows"][0]["name"]


def test_what_is_no_run_is_passed_over(wide, write, tmp_path):
    """Files, empty folders, folders of other programs."""
    write("iris")
    wide("sweep", "configs")
    (tmp_path / "results/notes.txt").write_text("mine")
    (tmp_path / "results/.git/objects").mkdir(parents=True)
    (tmp_path / "results/iris/empty").mkdir()
    assert 1 == len(wide.json("ls"))


def test_no_results_folder_is_an_error(wide):
    """Exit 2, and the commands that would make one."""
    assert "there is no results folder results; nnrun train and sweep make one" in wide.refused(
        "ls"
    )


def test_a_sweep_that_was_not_finished_is_said_beside_the_leaderboard(wide, write):
    """Beside that of an earlier one with experiments of it, until the next sweep ends."""
    write("iris")
    write("boston", BOSTON, "others")
    assert [0, 0] == [wide("sweep", folder)[0] for folder in ("others", "configs")]
    assert "not finished" not in wide("ls", "--leaderboard")[2]
    write("wild", WILD)
    assert 1 == wide("sweep", "configs", "--seeds", 2, "--fail-fast", "-j", 1)[0]
    line = (
        "a later sweep of iris, wild was not finished, at 1 of 4 runs: nnrun ls shows them, and "
        "the same command as before continues it\n"
    )
    assert line in wide("ls", "--leaderboard")[2]
    assert line in wide("ls", "--leaderboard", "iris")[2]
    assert line not in wide("ls", "--leaderboard", "boston")[2]
    assert 1 == wide("sweep", "configs", "--seeds", 2, "-j", 1)[0]
    assert "not finished" not in wide("ls", "--leaderboard")[2]
    assert not Path("results/.sweeps").exists()


def test_without_a_leaderboard_the_report_is_named(wide, write, tmp_path):
    """The report has the board of the runs that there are; without runs nothing is named."""
    write("iris")
    wide("sweep", "configs", "--seeds", 2)
    for file in tmp_path.glob("results/leaderboard*"):
        file.unlink()
    for names in ((), ("iris",)):
        err = wide.refused("ls", "--leaderboard", *names)
        assert err.endswith("; nnrun report shows the board of the runs that there are\n")
    assert 0 == wide("report", "-o", "page.html")[0]
    assert "<h2>Board</h2>" in Path("page.html").read_text()
    shutil.rmtree("results/iris")
    assert wide("ls", "--leaderboard")[2].endswith("nnrun sweep writes one at its end\n")


@pytest.mark.parametrize("shares", [{"split": 1e308, "weights": 0, "both": 0}, {"split": 1}])
def test_a_leaderboard_whose_variance_has_no_shares_is_damaged(wide, write, tmp_path, shares):
    """The table would have them as percentages with a sum of 100."""
    write("iris")
    wide("sweep", "configs", "sweep.seeds={split: 2, weights: 2}")
    board = tmp_path / "results/leaderboard.json"

    def change(content):
        row = content["groups"][0]["rows"][0]
        assert {"split", "weights", "both"} == {*row["shares"]}
        row["shares"] = shares

    reseal(board, change)
    assert "is damaged" in wide.refused("ls", "--leaderboard")


@pytest.fixture
def rates(wide, write):
    """Six runs of two names, one of which varies its learning rate."""
    write("iris"), write("boston", BOSTON)
    wide("sweep", "configs/iris.yaml", "training.learning_rate=0.1,0.01", "--seeds", 2)
    wide("sweep", "configs/boston.yaml", "--seeds", 2)
    return lambda *words: wide.json("ls", *words)


def test_settings_tell_runs_of_one_name_apart(wide, rates):
    """In the words of the config; what all listed runs of a name share is said once, above."""
    out = wide("ls")[1]
    assert 2 == out.count("learning_rate=0.1 ")
    assert 2 == out.count("learning_rate=0.01 ")
    assert "learning_rate" not in wide("ls", "boston")[1]
    shared = wide("ls", "--top", 2, "--where", "learning_rate=0.01")[1].splitlines()[0]
    assert "In every row of iris: learning_rate=0.01." == shared


def test_two_experiments_with_the_same_settings_both_have_them(wide, rates):
    """As a copy of an experiment has them, or the same grid under another name."""
    shutil.copytree(Path("results", "iris"), Path("results", "copy"))
    _, out, _ = wide("ls")
    for name in ("iris", "copy"):
        rows = [line for line in out.splitlines() if line.startswith(f"{name}/")]
        assert len(rows) == sum("learning_rate=" in line for line in rows) > 1


def test_an_extended_run_says_what_it_has_and_not_what_others_lack(wide, write):
    """Iterations where they were epochs; no row holds a null."""
    write("iris", IRIS.replace("iterations: 60", "epochs: 4"))
    wide("train", "configs/iris.yaml", "--quiet")
    assert 0 == wide("train", "iris", "--extend", 30)[0]
    out = wide("ls", "--wide")[1]
    assert "epochs=4 " in out
    assert "iterations=90 " in out
    assert "null" not in out


def test_a_setting_of_another_kind_is_one_setting(wide, write):
    """A schedule in one run and a number in another; a list of steps and none at all."""
    write("iris")
    schedule = "training.learning_rate={schedule: cosine, initial: 0.01}"
    step = "{schedule: step, initial: 0.1, every: 5}"
    wide("sweep", "configs/iris.yaml", f"{schedule},{step},0.1", "--seeds", 1)
    wide("train", "configs/iris.yaml", schedule, "dataset.features=none", "seed=7")
    wide("train", "configs/iris.yaml", schedule, "dataset.features={binarize: 8}", "seed=7")
    out = wide("ls", "--wide")[1]
    assert 3 == out.count("learning_rate=cosine(initial=0.01) ")
    assert 1 == out.count("learning_rate=step(initial=0.1, every=5) ")
    assert 1 == out.count("learning_rate=0.1 ")
    assert 1 == out.count("features=none ")
    assert 1 == out.count("features={binarize: 8")
    assert "null" not in out
    header = next(csv.reader(io.StringIO(wide("ls", "--csv")[1])))
    assert ["dataset.features", "training.learning_rate"] == header[-2:]
    ids = [row["run_id"] for row in wide.json("ls", "--where", "seed=7")]
    settings = wide.json("compare", *(f"iris/{i}" for i in ids))["settings"]
    assert ["dataset.features"] == list(settings)


def test_the_folder_of_an_experiment_names_it(rates):
    """As shells complete it."""
    assert rates("iris") == rates("results/iris/")
    assert 4 == len(rates("results/iris"))


def test_runs_are_chosen_by_their_settings(rates):
    """In full or by its last words, one value of several, status, name and seed likewise."""
    found = rates("--where", "learning_rate=0.1")
    assert [0.1, 0.1] == [row["settings"]["training.learning_rate"] for row in found]
    assert 4 == len(rates("--where", "training.learning_rate=0.1,0.01", "iris"))
    assert 2 == len(rates("--where", "name=boston", "--where", "status=completed"))
    assert [3, 3] == [row["seed"] for row in rates("--where", "seed=3")]
    assert [] == rates("--where", "status=failed")


def test_a_block_is_found_by_its_type(wide, write):
    """As its label says it; in full, by its last words, and to sort by, a layer likewise."""
    write("iris")
    wide("sweep", "configs/iris.yaml", "training.optimizer.type=sgd,adam", "--seeds", 1)

    def types(*words):
        rows = wide.json("ls", *words)
        return [row["settings"]["training.optimizer.type"] for row in rows]

    assert ["adam"] == types("--where", "optimizer=adam")
    assert ["sgd"] == types("--where", "training.optimizer=sgd")
    assert ["adam"] == types("--where", "optimizer.type=adam")
    assert ["adam", "sgd"] == types("--sort", "optimizer", "--where", "layers.0=dense")
    assert [] == types("--where", "layers.0=conv2d")


def test_runs_are_ordered_by_what_matters(rates):
    """The best first: the largest accuracy, the smallest error, each metric by itself."""
    runs = rates("--sort", "test")
    accuracies = [row["test"] for row in runs if row["metric"] == "accuracy"]
    errors = [row["test"] for row in runs if row["metric"] == "mse"]
    assert sorted(accuracies, reverse=True) + sorted(errors) == [row["test"] for row in runs]
    assert runs[:2] + [row for row in runs if row["metric"] == "mse"][:2] == rates("--top", 2)
    assert runs[:2] == rates("iris", "--top", 2)
    assert [3, 3, 4, 4, 42, 43] == [row["seed"] for row in rates("--sort", "seed")]
    slow = [
        row["settings"]["training.learning_rate"]
        for row in rates("iris", "--sort", "learning_rate")
    ]
    assert [0.01, 0.01, 0.1, 0.1] == slow


def test_of_equal_results_the_first_is_the_one_that_best_takes(wide, write):
    """In whatever order they were trained."""
    write("iris")
    rates = ",".join(f"{number}e-12" for number in range(1, 7))  # all weights stay as they are
    wide("sweep", "configs/iris.yaml", f"training.learning_rate={rates}", "--seeds", 1, "-q")
    listed = wide.json("ls", "iris", "--top", 6)
    assert 1 == len({row["test"] for row in listed})
    ids = [row["run_id"] for row in listed]
    assert sorted(ids) == ids
    assert ids[0] == wide.json("best", "iris")["run_id"]


def test_what_orders_runs_of_several_metrics_has_a_heading_of_its_own(wide, write):
    """Each cell names its metric; the result is of another split."""
    write("iris"), write("boston", BOSTON)
    for name in ("iris", "boston"):
        wide("train", f"configs/{name}.yaml", "dataset.validation_size=0.2", "-q")
    heading = wide("ls", "--top", 2, "--wide")[1].splitlines()[0].split("  ")
    assert [1, 1] == [[*map(str.strip, heading)].count(title) for title in ("ordered by", "result")]


def test_a_short_name_that_the_list_shows_can_be_asked_for(wide, write):
    """Both layers have units, and runs differ in those of the first, which is called units."""
    write("iris")
    wide("sweep", "configs/iris.yaml", "network.sizes.0=4,8", "-q")
    assert 1 == wide("ls")[1].count("units=8")
    assert 1 == wide("ls", "--where", "units=8")[1].count("units=8")


def test_the_rate_of_a_schedule_can_be_asked_for_as_the_list_shows_it(wide, write):
    """A schedule's initial rate is learning_rate in lists, beside runs with a number, too."""
    write("iris")
    cosine = "training.learning_rate={schedule: cosine, initial: 0.01}"
    wide("sweep", "configs/iris.yaml", cosine, "training.learning_rate.initial=0.01,0.02", "-q")
    where = "ls", "--where", "learning_rate=0.02", "--json"
    assert 1 == wide("ls")[1].count("learning_rate=0.02 ")
    assert 1 == len(json.loads(wide(*where)[1]))
    wide("train", "configs/iris.yaml", "training.learning_rate=0.02", "-q")
    assert 2 == len(json.loads(wide(*where)[1]))


def test_a_block_can_be_asked_for_as_the_list_shows_it(wide, write):
    """Without the defaults that are left out there, in any order."""
    write("iris")
    block = "{type: adam, beta1: 0.5, beta2: 0.99}"
    wide("sweep", "configs/iris.yaml", f"training.optimizer=sgd,adam,{block}", "-q")
    for words in (block, "{beta2: 0.99, type: adam, beta1: 0.5, epsilon: 1.0e-8}"):
        code, found, err = wide("ls", "--where", f"optimizer={words}", "--json")
        (one,) = json.loads(found)
        assert (0, "", 0.5) == (code, err, one["settings"]["training.optimizer.beta1"])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("optimizer=amsgrad", "; did you mean 'adam'?"),
        ("optimizer=none_such", " (one of sgd, adam)"),
        ("optimizer={type: adam, beta1: 0.6}", "; did you mean '{type: adam, beta1: 0.5}'?"),
        ("learning_rate=0.3", "; did you mean 0.1?"),
    ],
)
def test_a_value_that_no_run_has_is_reported(wide, write, asked, said):
    """On stderr, with the nearest that some have; the list is empty all the same."""
    write("iris")
    grid = "training.optimizer=sgd,{type: adam, beta1: 0.5}", "training.learning_rate=0.01,0.1"
    wide("sweep", "configs/iris.yaml", *grid, "-q")
    code, out, err = wide("ls", "--where", asked)
    assert (0, f"no run has {asked}{said}\n") == (code, err)
    assert "0 runs" in out
    assert "" == wide("ls", "--where", "optimizer=adam", "--where", "status=failed")[2]


def test_the_short_form_of_layers_selects(wide, write):
    """`network.sizes.N` and `network.activations.N`, as configs have them."""
    write("iris")
    first = "network.activations.0=tanh,relu"
    assert 0 == wide("sweep", "configs/iris.yaml", first, "network.sizes.0=3,5", "-q")[0]
    asked = "network.activations.0=tanh", "network.sizes.0=5"
    listed = wide.json("ls", "--where", asked[0], "--where", asked[1])
    settings = [row["settings"] for row in listed]
    assert [("tanh", 5)] == [
        tuple(one[f"network.layers.0.{key}"] for key in ("activation", "units")) for one in settings
    ]


def test_a_key_that_no_run_has_is_reported(wide, rates):
    """With what may have been meant; exit 2."""
    for words in (("--sort", "lerning_rate"), ("--where", "lerning_rate=1")):
        err = wide.refused("ls", *words)
        assert "no run has a 'lerning_rate'; did you mean 'learning_rate'?" in err
    code, _, err = wide("ls", "--where", "status=divergd")
    assert (2, "error: 'divergd' is not a status; did you mean 'diverged'?\n") == (code, err)
    assert "not of the form key=value" in wide("ls", "--where", "seed")[2]
    assert "'type' may be " in wide.refused("ls", "--where", "type=adam")


def test_the_list_in_other_forms(wide, rates):
    """CSV with a column for each setting that differs and numbers in full, and Markdown."""
    rows = list(csv.DictReader(io.StringIO(wide("ls", "iris", "--csv")[1])))
    data = rates("iris")
    assert [row["test"] for row in data] == [float(row["test"]) for row in rows]
    assert {"0.1", "0.01"} == {row["training.learning_rate"] for row in rows}
    text = wide("ls", "iris", "--md")[1]
    assert text.startswith("| run | status | settings | test accuracy |")
    assert 6 == len(text.splitlines())


def test_a_long_list_shows_its_end(wide, write):
    """And says how to see the rest."""
    write("iris")
    wide("sweep", "configs", "--seeds", 101, "--iterations", 1)
    out = wide("ls")[1]
    assert 100 == out.count("iris/s")
    assert "101 runs, 100 of them shown; --all shows all" in out
    assert 101 == wide("ls", "--all")[1].count("iris/s")


def test_a_run_that_goes_on_is_listed_as_such(wide, write, tmp_path):
    """Also before its first checkpoint, when nothing but its lock is there; and at the end."""
    write("iris")
    wide("sweep", "configs", "--seeds", 2)
    held = acquire(tmp_path / "results/iris/s9-0123456789", wait=False)
    try:
        rows = wide.json("ls")
        assert ["completed", "completed", "running"] == [row["status"] for row in rows]
    finally:
        held.close()
    assert 2 == len(wide.json("ls"))


def test_a_sweep_over_complete_runs_reads_no_report(wide, write, monkeypatch):
    """The index knows them, with numbers to the last bit; of what has changed it says nothing."""
    monkeypatch.setattr("nnrun.runs.catalog.index.WORTH", 1)
    write("iris")
    _, shown, _ = wide("sweep", "configs", "--seeds", 3)
    with monkeypatch.context() as patch:
        no_report = lambda *_, **__: pytest.fail("a report is read")  # noqa: E731
        patch.setattr("nnrun.runs.storage.store.read_run", no_report)
        code, again, err = wide("sweep", "configs", "--seeds", 3)
    assert (0, shown) == (code, again)
    assert "3 complete already" in err
    (damaged,) = Path("results/iris").glob("s3-*")
    (damaged / "model.safetensors").unlink()
    code, again, err = wide("sweep", "configs", "--seeds", 3)
    assert 1 == code
    trains = f"nnrun train {damaged}/config.yaml --force --results results trains it again"
    assert f"is damaged: model.safetensors is missing; {trains}" in err
    code, again, err = wide("sweep", "configs", "--seeds", 3, "--force")
    assert 0 == code
    assert "3 trained" in err


def test_a_narrow_list_tells_blocks_apart(wide, write, monkeypatch):
    """By what differs in them, which stands on a line of its own where the first one is cut."""
    write("iris")
    rates = ",".join(f"{{schedule: step, initial: 0.1, every: {every}}}" for every in (5, 10))
    wide("sweep", "configs/iris.yaml", f"training.learning_rate={rates},0.1", "--seeds", 1, "-q")
    monkeypatch.setenv("COLUMNS", "80")
    narrow, wide = wide("ls")[1], wide("ls", "--wide")[1]
    assert [1, 1] == [narrow.count(f" every={every})") for every in (5, 10)]
    assert 1 == wide.count("learning_rate=step(initial=0.1, every=5)")
