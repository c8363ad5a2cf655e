"""`nnrun search`, also killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nnrun.cli import cli
from nnrun.errors import NnrunError
from nnrun.reports import trials
from nnrun.reports.document import StatusMark
from nnrun.reports.html.overview import find_runs
from nnrun.reports.html.report import Report
from nnrun.reports.trials import Trials
from nnrun.search import proposer as spread
from nnrun.sweeps.planning.variants import Datasets
from tests.search.helpers import config, content_of, outcome, search, unlike

# `nnrun search`: what it takes, shows and writes, and what it refuses.

TABLE = "size,kind,price\n" + "".join(
    f"{at % 17},{'ab'[at % 2]},{at % 17 * 2 + at % 2}\n" for at in range(120)
)

# A final comparison of one trial, in one process.
BRIEF = ("search.top=1", "search.fresh_seeds=2", "search.seeds=1", "--no-random", "-j", 1)

PRIMITIVE = "[{type: dense, units: 3}, {type: activation, name: softmax}]"


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A folder with a config, and the results of its search."""
    folder = tmp_path_factory.mktemp("searched")
    (folder / "iris.yaml").write_text(yaml.safe_dump(config(trials=5)))
    search(folder / "iris.yaml", folder / "results")
    return folder


def test_the_whole_search(lab, searched, tmp_path):
    """It shows budget, final board, winner and test, and writes what every such search does."""
    code, out, err = lab("search", searched / "iris.yaml", "-j", 1)
    assert 0 == code, err
    assert out.startswith("iris: 5 trials in ")
    assert "final comparison on 2 fresh seeds:" in out
    assert "winner: " in out
    assert "evaluated once, for the winner alone" in out
    assert "iris/best is the winner" in out
    assert [] == [line for line in out.splitlines() if len(line) > 80]
    assert "trial 0: accuracy " in err
    assert "wrote results/iris/search.json, results/leaderboard-iris-" in err
    assert 0 == lab("ls", "--leaderboard")[0]
    found, bits = outcome(tmp_path / "results")
    assert {**outcome(searched / "results")[0], "importance": found["importance"]} == found
    assert outcome(searched / "results")[1] == bits
    assert 0.99 < sum(found["importance"].values()) < 1.01


def test_progress_tells_random_trials_from_others(lab, searched):
    """Both are numbered from 0 and counted; a line says which of the two it is about."""
    _, _, err = lab("search", searched / "iris.yaml", "--trials", 2, "--random", "-j", 1)
    lines = [line.partition("] ")[2] for line in err.splitlines()]
    for first in ("trial 0: ", "random trial 0: "):
        assert 1 == sum(line.startswith(first) for line in lines), err
    assert "[2/2 trials and 2/2 random ones, 0 s left] " in err


def test_a_line_is_made_only_where_it_is_printed(lab, searched, monkeypatch):
    """Its words take a look at all trials."""
    made = []
    best = Trials.best
    monkeypatch.setattr(Trials, "best", lambda self: made.append(1) or best(self))
    monkeypatch.setattr(trials, "LINES_EACH", 2)
    lab("search", searched / "iris.yaml", *BRIEF)
    assert 2 == len(made)


def test_a_terminal_sees_the_best_trials_as_a_board(lab, searched, monkeypatch):
    """The best first, with the number of its runs, and the number of trials without the best."""
    pictures, tried = [], Trials.tried

    def looking(work, trial):
        tried(work, trial)
        pictures.append(work.picture(80))

    monkeypatch.setattr(Trials, "tried", looking)
    lab("search", searched / "iris.yaml", *BRIEF)
    last = pictures[-1]
    heading, *rows = last.board.lines(6)
    assert ("best trials so far", "accuracy", "") == heading
    values = [float(value) for _, value, _ in rows]
    assert sorted(values, reverse=True) == values != []
    assert len(last.board) == len(rows) + 1
    assert "best" not in last.figures


def test_another_search_takes_the_place_of_the_first(lab, searched, tmp_path):
    """It says so; runs that both have are not trained again."""
    words = ("search", searched / "iris.yaml", "--trials", 2, "-j", 1)
    assert "another search" not in lab(*words)[2]
    before = {*(tmp_path / "results/iris").iterdir()}
    code, _, err = lab(*words, "search.window=3", "--sampler", "random")
    assert 0 == code, err
    assert "search.json of iris is of another search, which this one replaces" in err
    assert before <= {*(tmp_path / "results/iris").iterdir()}


def test_lists_show_what_the_search_chose(lab, searched):
    """A depth with its units is one setting, and no layers by their numbers."""
    code, out, _ = lab("ls", "iris", "--wide", "--results", searched / "results")
    assert 0 == code
    assert "depth=2 units=[" in out
    assert "layers." not in out


def test_trials_that_ended_early_are_no_interrupted_runs(lab, tmp_path):
    """Lists and reports say so, of random trials too: nothing of them is left to do."""
    search(config(trials=9, pruning="halving", random=True), tmp_path / "results")
    content = content_of(tmp_path / "results")
    trials = [*content["trials"], *content["random"]]
    early = {run_id for one in trials if one["status"] == "pruned" for run_id in one["run_ids"]}
    out = lab("ls", "iris", "--wide")[1]
    assert (len(early), 0) == (out.count("ended early"), out.count("interrupted"))
    report = Report(find_runs(("iris",), tmp_path / "results"), Datasets().load)
    assert (StatusMark("ended early", "pruned"), len(early)) in report.counts
    assert "interrupted" not in str(report.verdict.lines)


def test_the_boards_of_its_report_are_of_the_final_comparison(searched):
    """Runs by which the finalists were chosen do not count, unless the report is of them alone."""
    root, content = searched / "results", content_of(searched / "results")
    found = find_runs(("iris",), root)

    def on_boards(runs):
        boards = Report(runs, Datasets().load).boards
        rows = (standing for board in boards for standing in board.standings)
        return {run.key.partition("/")[2] for row in rows for run in row.variant.runs}

    def ids(parts):
        return {run_id for part in parts for run_id in part["run_ids"]}

    assert ids([*content["finalists"], content["test"]]) == on_boards(found)
    judged = ids(content["trials"])
    alone = [one for one in found if one.key.partition("/")[2] in judged]
    assert judged == on_boards(alone)


def test_the_report_of_a_search_is_over_all_its_runs(lab, searched, tmp_path):
    """It has the course of the search and the final comparison, with the test of its winner."""
    root = searched / "results"
    code, out, err = lab("report", "iris", "--results", root, "--json")
    assert 0 == code, err
    assert len([*root.glob("iris/*/report.json")]) == json.loads(out)["runs"]
    page = (tmp_path / "report.html").read_text()
    assert "Search of iris" in page
    assert "Final comparison, the winner first" in page


def test_quiet_prints_runs_that_fail(lab, searched, monkeypatch):
    """As a quiet sweep does."""

    def fail(*_):
        raise NnrunError("no such luck")

    monkeypatch.setattr("nnrun.sweeps.workers.job.execute", fail)
    code, _, err = lab("search", searched / "iris.yaml", "-q", "-j", 1, "--trials", 1)
    assert 1 == code
    assert "failed: iris " in err


def test_it_says_why_trials_fail(lab, tmp_path):
    """Settings that do not go together end their trials alone, with the words of the config."""
    (tmp_path / "iris.yaml").write_text(yaml.safe_dump(unlike(trials=4)))
    code, out, err = lab("search", tmp_path / "iris.yaml", "--results", tmp_path / "r", "-j", 1)
    assert 0 == code, err
    reasons = [t["reason"] for t in content_of(tmp_path / "r")["trials"] if t["reason"]]
    words = " ".join(out.split())
    assert f"failed: {reasons[0]}" in words
    assert all(one.startswith(("network.", "loss: ")) for one in reasons)


def test_json(lab, searched):
    """The data are those of search.json."""
    code, out, _ = lab(
        "search", searched / "iris.yaml", "--json", "--results", searched / "results"
    )
    assert 0 == code
    assert content_of(searched / "results") == json.loads(out)


def test_best_prints_the_winner(lab, searched):
    """`nnrun best NAME` has the config of the winner, with its test split."""
    code, out, _ = lab("best", "iris", "--json", "--results", searched / "results")
    assert 0 == code
    found = json.loads(out)
    assert found["run_id"] in content_of(searched / "results")["test"]["run_ids"]
    assert found["config"]["dataset"]["hide_test"] is False


def test_a_table_alone(lab, tmp_path):
    """A data file needs no config: the command takes one, and says what it guesses."""
    (tmp_path / "houses.csv").write_text(TABLE)
    code, out, err = lab("search", "houses.csv", *BRIEF, "--target", "price", "--trials", 3,
                         "--iterations", 20)  # fmt: skip
    assert 0 == code, err
    assert "it predicts price: regression" in err
    assert "mse of price" in out
    assert {"network.depth", "training.batch_size"} < content_of(tmp_path / "results", "houses")[
        "trials"
    ][0]["choice"].keys()


def test_the_winner_as_a_file_has_the_data_beside_it(lab, tmp_path):
    """Its path is relative; trained from there, it is the winner's run again."""
    (tmp_path / "houses.csv").write_text(TABLE)
    lab("search", "houses.csv", *BRIEF, "--target", "price", "--trials", 1, "--iterations", 9)
    assert 0 == lab("best", "houses", "-o", "best.yaml")[0]
    assert "  path: houses.csv\n" in (tmp_path / "best.yaml").read_text()
    assert "already trained" in lab("train", "best.yaml")[2]


def test_a_table_of_unequal_classes(lab, tmp_path):
    """Trials are judged by the log loss, and a line says so."""
    rows = [f"{row * 7 % 13},{'rare' if row * 7 % 13 == 12 else 'usual'}" for row in range(390)]
    (tmp_path / "rare.csv").write_text("\n".join(["size,kind", *rows]) + "\n")
    code, out, err = lab("search", "rare.csv", *BRIEF, "--target", "kind", "--trials", 2,
                         "--iterations", 60)  # fmt: skip
    assert 0 == code, err
    assert "it orders runs by log_loss" in err
    assert "log loss of kind" in out
    assert "test log loss " in out
    assert "log_loss" not in out
    assert "quote the test number of the first row" not in out  # the board has none
    assert "log_loss" == content_of(tmp_path / "results", "rare")["metric"]


def test_a_small_table_alone(lab, tmp_path):
    """Of twelve rows, seven are trained on: no batch that is tried is larger."""
    (tmp_path / "few.csv").write_text("".join(TABLE.splitlines(keepends=True)[:13]))
    words = (
        "--trials",
        3,
        "--no-random",
        "search.top=1",
        "search.fresh_seeds=2",
        "training.epochs=20",
    )
    code, _, err = lab("search", "few.csv", "--target", "price", *words)
    assert 0 == code, err
    trials = content_of(tmp_path / "results", "few")["trials"]
    assert [None] * 3 == [trial["reason"] for trial in trials]


def test_time_ends_it(lab, searched, tmp_path):
    """Where there is no time for a trial, none is proposed, and the search says what to do."""
    words = ("search.time=0.001", "search.trials=null", "--results", tmp_path / "r")
    code, _, err = lab("search", searched / "iris.yaml", *words)
    assert 1 == code
    assert "no trial has completed: there was no time for one; what was finished is saved" in err
    assert "search.trials=null --time 1s --results" in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--trials", 0), "argument 'search.trials=0': search.trials: 0 is not a whole number"),
        (("--time", "soon"), "search.time: 'soon' is not a time above 0"),
        (("search.training.epochs={int: [9, 1]}",), "the range is reversed; write [1, 9]"),
        (("--target", "y"), "--target y: it is for data files"),
        (("search={training: {epochs: {int: [1, 9]}}}",), "keys are dotted, like training.epochs"),
        (
            (
                "search.sampler=grid",
                "search.training.epochs={int: [1, 900]}",
                "search.training.batch_size={int: [1, 80]}",
                "search.training.learning_rate={uniform: [0.1, 0.9], step: 0.1}",
            ),
            "the grid has more than 1,000 settings",
        ),
        (("search=null",), "there is nothing to choose from; add a block like search: {"),
        (("search.pruning=median", "sweep.order_by=loss", "search.sampler=grid"), "a grid cannot"),
        (("metrics=[roc_auc]", "sweep.order_by=roc_auc", "--pruning", "median"), "curves"),
        (("search.network.layers.0.units={int: [1, 3]}",), "network.depth makes all hidden layers"),
        ((f"network.layers={PRIMITIVE}",), "a last one that is dense"),
        (("search.network.depth={int: [1, 100000]}",), "100000 hidden layers are too many"),
        (
            ("search.network.depth={int: [1, 9], units: {int: [1, 1000000]}}",),
            "the largest network of this search is refused: this run would take",
        ),
        (
            ("search.training.batch_size={choice: [8, 900]}",),
            "choice[1]: no setting with it can be trained: a batch of 900 rows",
        ),
        (
            ("search.network.depth={int: [0, 2], activation: {choice: [tanh, softmax]}}",),
            "activation.choice[1]: no setting with it can be trained: softmax belongs in the last",
        ),
        (
            ("search.training.batch_size={int: [1, 900]}",),
            "search.training.batch_size: the largest value is refused: a batch of 900 rows",
        ),
    ],
)
def test_mistakes_leave_nothing_behind(lab, searched, tmp_path, monkeypatch, words, said):
    """Each is refused with exit code 2 and no traceback, before anything is written."""
    monkeypatch.setattr(spread, "_MOST", 1_000)
    code, out, err = lab("search", searched / "iris.yaml", *words)
    assert (2, "") == (code, out), err
    assert said in err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("irs", "--export", "x.db"), "no search in {} is called so; did you mean 'iris'?"),
        (("iris",), "iris is searched already; to export its trials, add --export FILE"),
        (("nosuch.yaml",), "nosuch.yaml: there is no such file"),
    ],
)
def test_names_that_are_none(lab, searched, tmp_path, words, said):
    """A name is one of a search, for its export; all else are files."""
    root = searched / "results"
    err = lab.refused("search", *words, "--results", root)
    assert said.format(root) in err
    assert not (tmp_path / "x.db").exists()


def test_a_mistake_has_its_place(lab, tmp_path):
    """File, line and column, as of every mistake in a config."""
    (tmp_path / "bad.yaml").write_text(
        "dataset: {name: iris}\n"
        "network: {sizes: [3], activations: [softmax]}\n"
        "loss: cross_entropy\n"
        "training: {learning_rate: 0.1, iterations: 9}\n"
        "search:\n"
        "  training.learning_rate: {log_uniform: [0, 1]}\n"
    )
    err = lab.refused("search", "bad.yaml")
    assert err.splitlines()[0].startswith("bad.yaml:6:42: search.training.learning_rate")


def test_without_optuna(lab, searched, monkeypatch):
    """The error says which extra to install."""
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    assert "nnrun[search]" in lab.refused("search", searched / "iris.yaml")


def test_the_command_is_documented_as_it_is():
    """The page names every option of the command and of the block."""
    page = (Path(__file__).parents[2] / "nnrun/docs/search.md").read_text()
    options = [name for param in cli.get_command(None, "search").params for name in param.opts]
    shared = ("--json", "--quiet", "-q", "--debug", "--wide", "--results", "--threads")
    shared += ("arguments", "--jobs", "--iterations", "--no-gradient-check")
    assert [] == [name for name in options if name not in page and name not in shared]


def test_processes_and_a_cluster_are_not_asked_for_together(lab):
    """As of a sweep."""
    assert "--jobs is for processes on this machine, and --dask for a cluster" in lab.refused(
        "search", "iris.yaml", "--dask", "tcp://127.0.0.1:1", "-j", 2
    )


# A search that is killed twenty times, wherever it is, and goes on each time.

KILLS = 20
# Each call is a process of its own, which kills itself at one of its next writes or names of files;
# it inherits all modules from this one. The plan of moments is fixed.
KILLED = """
import json, os, random, signal, sys
from pathlib import Path
from tests.search.helpers import search
import optuna

content, root, kills = json.loads(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
moments = random.Random(7)

def call(moment):
    def counted(real):
        def function(*arguments, **more):
            nonlocal moment
            moment -= 1
            if not moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **more)
        return function
    for name in ("fsync", "replace"):
        setattr(os, name, counted(getattr(os, name)))
    search(content, root)
    os._exit(0)

for _ in range(kills):
    child = os.fork()
    if not child:
        call(moments.randint(1, 30))
    print(os.WTERMSIG(os.waitpid(child, 0)[1]), flush=True)
"""


def test_twenty_kills_change_nothing(tmp_path):
    """The same command goes on after each, with the trials and bits of a search in peace."""
    content = config(pruning="asynchronous_halving", trials=24)
    words = [json.dumps(content), str(tmp_path / "killed"), str(KILLS)]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *words], stdout=subprocess.PIPE, text=True, check=True
    )
    assert [signal.SIGKILL] * KILLS == [int(line) for line in killed.stdout.split()]
    search(content, tmp_path / "killed")
    search(content, tmp_path / "in_peace")
    assert outcome(tmp_path / "in_peace") == outcome(tmp_path / "killed")
