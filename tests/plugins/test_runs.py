"""Runs that need plugins: trained, verified, predicted from, and where the plugin is not there."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

import nnrun
from nnrun.errors import ConfigError
from nnrun.plugins import PluginError, unload
from nnrun.reports.reference.topics import topics
from tests.plugins.conftest import weights_of

SMALL = """
dataset: {name: moons, rows: 60}
network: {layers: [{type: dense, units: 4, activation: tanh}, LAYER, {type: dense, units: 2,
  activation: softmax}]}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 20}
"""
NEEDS = "needs the activation 'bend' of the plugin parts.py, which is not loaded; "
NEEDS += "name it with --plugin parts.py"


@pytest.fixture
def trained(folder, lab) -> Path:
    """A folder with a run of `all.yaml`, whose plugin is not loaded any more."""
    done = lab.ok("train", "all.yaml", "--plugin", "parts.py")
    why = "the compiled engine does not have the loss 'fourth' of parts.py, so NumPy trains it"
    assert why in done.err
    unload()
    return folder


def test_a_part_of_each_kind_trains_to_the_same_bits_in_two_processes(folder, lab) -> None:
    """As in this one; the runs are verified by two processes, too."""
    words = ("all.yaml", "--seeds", 3, "--plugin", "parts.py")
    for jobs, results in ((1, "one"), (2, "two")):
        done = lab.ok("sweep", *words, "-j", jobs, "--results", results)
    one, two = weights_of(folder / "one"), weights_of(folder / "two")
    assert (3, one) == (len(one), two)
    runs = sorted(f"two/all/{name}" for name in two)[:2]
    done = lab("verify", *runs, "-j", 2, "--plugin", "parts.py")
    assert (0, 2) == (done.code, done.out.count("the same bits") - 1), done.said


def test_a_run_names_its_parts_with_the_digest_of_their_file(trained) -> None:
    """In the report and, of what prediction needs, in the model."""
    report = json.loads(next(trained.glob("results/all/*/report.json")).read_text())
    names = ["bend", "fourth", "halves", "root", "signed", "small", "squash", "wave", "worst_tenth"]
    assert names == [part["name"] for part in report["plugins"]]
    assert {"parts.py"} == {part["source"] for part in report["plugins"]}
    text = next(trained.glob("results/all/*/report.md")).read_text()
    digest = sha256((trained / "parts.py").read_bytes()).hexdigest()
    assert f"| SHA-256 of parts.py | {digest} |" in text
    assert "nnrun train config.yaml --results again --plugin parts.py" in text
    with pytest.raises(PluginError, match=r"needs the activation 'bend' of the plugin"):
        _ = nnrun.load("all").model


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("verify", "all"), 2),
        (("predict", "all", "new.csv"), 2),
        (("export", "all", "-o", "m.py"), 2),
        (("train", "all", "--extend", "5"), 2),
    ],
)
def test_what_needs_the_plugin_says_which(trained, lab, words, code) -> None:
    """And how to name it."""
    (trained / "new.csv").write_text("x1\n0.5\n")
    done = lab(*words)
    assert (code, True) == (done.code, NEEDS in " ".join(done.said.split())), done.said


@pytest.mark.parametrize(
    "words", [("ls",), ("show", "all"), ("compare", "all", "all"), ("report",)]
)
def test_what_only_shows_a_run_needs_no_plugin(trained, lab, words) -> None:
    """Reports are data."""
    lab.ok(*words)


def test_the_command_that_repeats_a_run_names_its_plugin(trained, lab) -> None:
    """As `show` prints it."""
    assert "--results again --plugin parts.py\n" in lab("show", "all").out


def test_a_model_predicts_with_its_plugin(trained, lab) -> None:
    """From the command line and from Python the same."""
    (trained / "new.csv").write_text("x1\n0.5\n-1\n")
    done = lab.ok("predict", "all", "new.csv", "--plugin", "parts.py")
    unload()
    found = nnrun.load("all", plugins="parts.py").predict(np.array([[0.5], [-1.0]]))
    assert [float(line) for line in done.out.split()[1:]] == found.tolist()


def test_a_changed_plugin_is_named(trained, lab) -> None:
    """By `verify`, which trains nothing; and by a warning where a model predicts."""
    parts = trained / "parts.py"
    parts.write_text(parts.read_text() + "# another line\n")
    done = lab("verify", "all", "--plugin", "parts.py", "--json")
    (verdict,) = done.json["runs"]
    assert (3, "differs") == (done.code, verdict["finding"])
    assert "parts.py has changed since it was trained" == verdict["reason"]
    assert {"parts.py"} == verdict["environment"].keys()
    with pytest.warns(UserWarning, match=r"parts.py has changed since: SHA-256 \w{10}… then"):
        nnrun.load("all").predict(np.array([[0.5]]))


def run_ids(config, plugins=()) -> str:
    return nnrun.train(config, results=None, plugins=plugins).record.run_id


def test_the_digest_has_the_source_of_the_parts_that_a_config_names(folder) -> None:
    """And of no others."""
    own, mine = (SMALL.replace("LAYER", layer) for layer in ("{type: dropout}", "{type: squash}"))
    Path("own.yaml").write_text(own)
    Path("mine.yaml").write_text(mine)
    before = run_ids("own.yaml")
    first = run_ids("mine.yaml", "parts.py")
    assert before == run_ids("own.yaml")
    parts = folder / "parts.py"
    parts.write_text(parts.read_text() + "# another line\n")
    assert (before, True) == (run_ids("own.yaml", "parts.py"), first != run_ids("mine.yaml"))


def test_a_grid_follows_a_default_that_has_changed(folder) -> None:
    """In one process: each setting is the run that its values give alone by then."""
    Path("mine.yaml").write_text(SMALL.replace("LAYER", "{type: squash}"))
    parts = Path("parts.py")
    text, key = parts.read_text(), "network.layers.1.start"
    for default in (1.0, 0.5):
        parts.write_text(
            text.replace("start: PositiveFloat = 1.0", f"start: PositiveFloat = {default}")
        )
        board = nnrun.sweep("mine.yaml", {key: [0.5, 1.0, 2.0]}, plugins="parts.py", results=None)
        alone = {
            start: nnrun.train("mine.yaml", {key: start}, results=None).record.run_id
            for start in (0.5, 1.0, 2.0)
        }
        (group,) = board.groups
        found = {row.choice[key]: row.best_run.split("/")[1] for row in group.rows}
        assert alone == found


def test_a_config_does_not_load_the_plugin_that_it_needs(folder) -> None:
    """Nor does a config of a run, beside which the plugin lies."""
    with pytest.raises(ConfigError, match="'squash' is not a layer"):
        nnrun.train("all.yaml", results=None)


WRONG = """
@register("layer", "half")
class Half(Layer):
    def _connect(self, input_shape):
        self.g = Parameter("gain", input_shape, lambda rng: np.ones(input_shape))
        self.parameters = [self.g]
        return input_shape
    def forward(self, x, rng=None):
        self.x = x
        return self.g.value * x
    def backward(self, dy, needs_dx=True):
        self.g.grad[...] = (dy * self.x).sum(axis=0)
        return dy * self.g.value / 2
"""


def test_a_wrong_gradient_is_found_before_the_first_update(folder, lab, write) -> None:
    """The run is kept as failed, with the reason."""
    write(WRONG)
    Path("half.yaml").write_text(SMALL.replace("LAYER", "{type: half}"))
    done = lab("train", "half.yaml", "--plugin", "mine.py")
    says = "the gradient of 0.weight is wrong with the layer 'half' of mine.py: by backpropagation"
    assert (1, True) == (done.code, says in done.err), done.said
    assert "nnrun check mine.py looks for the mistake" in done.err
    (report,) = Path("results/half").glob("*/report.json")
    found = json.loads(report.read_text())
    assert ("failed", 0) == (found["status"], found["timing"]["iterations"])


@pytest.mark.parametrize("way", ["option", "part"])
def test_a_wrong_gradient_is_accepted_if_asked_for(folder, lab, write, way) -> None:
    """By an option, in all processes; or by the part itself, as a straight-through estimator."""
    says = "class Half(Layer):\n    exact_gradient = False\n"
    write(WRONG if way == "option" else WRONG.replace("class Half(Layer):\n", says))
    Path("half.yaml").write_text(SMALL.replace("LAYER", "{type: half}"))
    more = ("-j", 2, "--no-gradient-check") if way == "option" else ("-j", 1)
    lab.ok("sweep", "half.yaml", "--plugin", "mine.py", "--seeds", 2, *more)


def test_an_error_in_a_plugin_names_its_line(folder, lab, write) -> None:
    """Also where it is raised in another process."""
    write(WRONG.replace("return self.g.value * x", "return self.g.value @ x"))
    Path("half.yaml").write_text(SMALL.replace("LAYER", "{type: half}"))
    for words in (["train"], ["sweep", "--seeds", "2", "-j", "2"]):
        done = lab(*words, "half.yaml", "--plugin", "mine.py")
        assert (1, True) == (done.code, "mine.py:13: ValueError: matmul" in done.said), done.said


@pytest.mark.parametrize(
    "words", [["train", "half.yaml", "--plugin", "mine.py"], ["check", "mine.py"]]
)
def test_a_method_with_other_arguments_is_named(folder, lab, write, words) -> None:
    """A mistake of the plugin, and no internal error, before anything starts."""
    write(WRONG.replace("x, rng=None", "x, *, training=False"))
    Path("half.yaml").write_text(SMALL.replace("LAYER", "{type: half}"))
    done = lab(*words)
    says = "mine.py:5: 'forward' has other arguments (too many positional arguments); "
    form = "write def forward(self, x, rng=None)"
    assert (2, f"error: {says}{form}") == (done.code, " ".join(done.err.split())), done.said
    assert not Path("results/half").exists()


def test_plugins_are_given_by_the_environment(folder, lab, monkeypatch) -> None:
    """NNRUN_PLUGINS has one file or several, for commands and for Python."""
    monkeypatch.setenv("NNRUN_PLUGINS", "parts.py")
    lab.ok("check", "all.yaml")
    unload()
    nnrun.check("all.yaml")
    monkeypatch.delenv("NNRUN_PLUGINS")
    assert 2 == lab("check", "all.yaml").code


def test_a_cluster_takes_no_plugin_files(folder, lab) -> None:
    """Its workers could not have them; the error comes before any run, and any connection."""
    done = lab("sweep", "all.yaml", "--plugin", "parts.py", "--dask", "tcp://127.0.0.1:9")
    says = "all.yaml needs parts.py, and workers of a cluster know installed plugins only"
    assert (2, True) == (done.code, says in done.err), done.said


def test_the_argument_without_annotation_is_named(folder, lab, write) -> None:
    """Its value in a config could not be checked."""
    write(
        WRONG.replace("    def _connect", "    def __init__(self, size=3): ...\n    def _connect")
    )
    Path("half.yaml").write_text(SMALL.replace("LAYER", "{type: half}"))
    done = lab("check", "half.yaml", "--plugin", "mine.py")
    says = "mine.py:5: the argument 'size' needs an annotation, such as size: PositiveInt"
    assert (2, True) == (done.code, says in done.err), done.said


def test_the_reference_and_the_schema_know_the_parts(folder, lab) -> None:
    """While the plugin is named."""
    names = {"squash", "bend", "fourth", "signed", "halves", "root", "worst_tenth", "wave"}
    assert not names & {topic.name for topic in topics()}
    assert "A sine with noise." in lab("help", "wave", "--plugin", "parts.py").out
    assert names <= {topic.name for topic in topics()}
    text = lab("schema", "--plugin", "parts.py").out
    assert all(f'"{word}"' in text for word in ("squash", "bend", "fourth", "small", "wave"))
    assert '"squash"' not in lab("schema").out
    assert "A sine with noise." in lab("datasets", "wave", "--plugin", "parts.py").out


def test_models_travel_to_other_processes_with_their_plugin(folder) -> None:
    """A pickled model is made again where the plugin is loaded, and not where it is not."""
    import pickle

    run = nnrun.train("all.yaml", results=None, plugins="parts.py")
    content = pickle.dumps(run.model)
    assert run.model.predict([[0.5]]) == pickle.loads(content).predict([[0.5]])
    unload()
    with pytest.raises(PluginError, match="needs the activation 'bend'"):
        pickle.loads(content)
