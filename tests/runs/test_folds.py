"""Folds of cross-validation, also nested."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.config.load import config_from_dict, config_to_dict, load_config
from nnrun.config.yaml_scalars import dump
from nnrun.engines.tape.layers import EMITTERS
from nnrun.errors import ConfigError
from nnrun.nn.initializers import Initializer
from nnrun.runs.diagnosis import describe_divergence
from nnrun.runs.events import Listener
from nnrun.runs.execution.descriptions import describe_network
from nnrun.runs.lifecycle import extend, train
from nnrun.runs.preparation.prepare import prepare, prepare_again
from nnrun.runs.verify import verify
from nnrun.sweeps.planning.estimate import estimate
from nnrun.training.state import Streams
from nnrun.training.stopping import Divergence

# Runs of folds: their ids, seeds, splits, and that they verify, go on and are extended.

FOLDS = """
name: folded
dataset: {name: iris, folds: 5, validation_size: 0.2, features: standard}
network: {sizes: [4, 3], activations: [tanh, softmax]}
loss: cross_entropy
training: {learning_rate: 0.05, iterations: 200, batch_size: 8}
seed: 3
"""
VISITS = """
name: visits
dataset: {path: visits.csv, columns: {target: y}, split: {by: group, column: patient}}
network: {sizes: [1], activations: [linear]}
loss: mean_squared
training: {learning_rate: 0.05, epochs: 30, batch_size: 4}
"""


@pytest.fixture
def visits(prepared, tmp_path):
    """Prepares the visits of 12 patients, who have 1 to 12 of them, on the days of a year."""
    rng = np.random.default_rng(0)
    rows = [(p, d + 1) for p in range(12) for d in rng.integers(0, 28, p + 1)]
    lines = [f"P{p},2024-{p % 6 + 1:02}-{d:02},{rng.normal():.3f},{p}" for p, d in rows]
    (tmp_path / "visits.csv").write_text("\n".join(["patient,day,x,y", *lines]) + "\n")

    def make(*overrides: str):
        drop = [] if any("day" in one for one in overrides) else ["dataset.columns.drop=[day]"]
        return prepared(VISITS, *drop, *overrides)

    return make


def rows_of(run):
    """The rows of each split."""
    parts = (run.split.train, run.split.validation, run.split.test)
    return [part.rows.tolist() for part in parts if part is not None]


def test_a_config_with_folds_alone_is_its_first_fold(prepared):
    """With the id that this fold has where it is named; each fold has its own."""
    ids = [prepared(FOLDS, f"dataset.fold={fold}").run_id for fold in range(1, 6)]
    assert ids[0] == prepared(FOLDS).run_id
    assert 5 == len({*ids})


def test_the_resolved_config_is_the_same_fold(prepared, tmp_path):
    """It has the fold, no test size, and says that it is stratified."""
    run = prepared(FOLDS, "dataset.fold=4")
    block = run.config.dataset
    assert (5, 4, None, True) == (block.folds, block.fold, block.test_size, block.stratify)
    path = tmp_path / "resolved.yaml"
    path.write_text(dump(config_to_dict(run.config)))
    again = prepare(load_config(path))
    assert (run.run_id, rows_of(run)) == (again.run_id, rows_of(again))


def test_what_a_default_comes_to_may_be_written_out(prepared):
    """Stratified folds of classes, no stratified split of another kind, rows at random."""
    folds, plain = prepared(FOLDS).run_id, prepared().run_id
    assert folds == prepared(FOLDS, "dataset.stratify=true").run_id
    assert folds != prepared(FOLDS, "dataset.stratify=false").run_id
    assert plain == prepared(None, "dataset.stratify=false").run_id
    assert plain != prepared(None, "dataset.stratify=true").run_id
    for written in ("random", "{by: random}", "{seed: null}"):
        assert plain == prepared(None, f"dataset.split={written}").run_id


def test_the_folds_of_a_seed_are_of_one_division(prepared):
    """Each row is tested once; another seed divides anew."""
    first, other = (
        [prepared(FOLDS, f"dataset.fold={fold}", f"seed={seed}") for fold in range(1, 6)]
        for seed in (3, 4)
    )
    for runs in (first, other):
        assert list(range(150)) == sorted(np.concatenate([run.split.test.rows for run in runs]))
    assert rows_of(first[0]) != rows_of(other[0])


def test_the_seed_of_the_split_draws_the_split_alone(prepared):
    """And the run's seed all else, which leaves initial weights and the split independent."""
    run = prepared(FOLDS, "dataset.split.seed=7", "seed=3")
    assert rows_of(run) == rows_of(prepared(FOLDS, "seed=7"))
    assert rows_of(run) == rows_of(prepared(FOLDS, "dataset.split.seed=7", "seed=4"))
    ids = {prepared(FOLDS, f"dataset.split.seed={s}").identity for s in (3, 7)}
    assert 3 == len({*ids, prepared(FOLDS).identity})
    weights = [
        train(prepared(FOLDS, *given, "dataset.fold=2"), None).result.weights
        for given in (["dataset.split.seed=3"], [], ["dataset.split.seed=7"])
    ]
    same = [np.array_equal(weights[0][k], weights[1][k]) for k in weights[0]]
    other = [np.array_equal(weights[0][k], weights[2][k]) for k in weights[0]]
    assert (True, False) == (all(same), any(other))


def test_the_split_of_a_seed_is_what_it_was(prepared):
    """Where no seed of the split is given, the stream of the run's seed draws it."""
    run = prepared()
    order = Streams(3).split.permutation(150)
    assert order[:30].tolist() == run.split.test.rows.tolist()


def test_by_group_all_seeds_have_one_identity(visits):
    """Though their training splits differ in size: what follows from it is planned."""
    runs = [visits(f"seed={seed}") for seed in range(8)]
    assert 1 < len({len(run.split.train) for run in runs})
    assert 1 < len({run.iterations for run in runs})
    assert 1 == len({run.identity for run in runs})
    assert 1 == len({(run.evaluate_every, run.engine) for run in runs})


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["dataset.test_size=null", "dataset.folds=3", "dataset.fold=2"],
        ["dataset.split={by: time, column: day}", "dataset.columns.drop=[patient]"],
        [
            *("dataset.split={by: time, column: day}", "dataset.columns.drop=[patient]"),
            *("dataset.folds=4", "dataset.fold=3", "dataset.validation_size=0.2"),
        ],
    ],
)
def test_runs_are_verified_resumed_and_extended(visits, store, tmp_path, given):
    """Each gives the bits of a run in one piece."""
    run = visits(*given, "training.engine=numpy")
    whole = train(run, None).result
    cut = train(run, store, Listener(stop=lambda: True))
    assert "interrupted" == cut.record.status
    done = train(run, store)
    assert ("completed", True) == (done.record.status, done.trained)
    assert all(np.array_equal(whole.weights[k], done.result.weights[k]) for k in whole.weights)
    assert verify(done.folder).agrees
    longer = extend(done.folder, 40)
    outcome = train(longer.prepared, store, extension=longer)
    again = train(prepare_again(config_from_dict(outcome.record.config), run.dataset), None)
    assert outcome.record.weights_sha256 == again.record.weights_sha256
    assert verify(outcome.folder).agrees


def test_the_report_says_how_rows_were_split(visits, prepared):
    """Nothing of a plain split; the fold; groups and times of each split."""
    assert "split" not in train(prepared(), None).record.dataset
    found = train(prepared(FOLDS, "dataset.fold=2"), None).record.dataset["split"]
    assert {"by": "random", "stratified": True, "folds": 5, "fold": 2} == found
    run = visits("dataset.validation_size=0.2")
    found = train(run, None).record.dataset["split"]
    groups = {
        name: len({*run.dataset.split_values[part.rows]})
        for name, part in {"train": run.split.train, **run.split.held_out}.items()
    }
    assert {"by": "group", "column": "patient", "stratified": False, "groups": groups} == found
    assert 12 == sum(groups.values())
    run = visits("dataset.split={by: time, column: day}", "dataset.columns.drop=[patient]")
    times = train(run, None).record.dataset["split"]["times"]
    assert ["train", "test"] == list(times)
    assert "2024-01-01" <= times["train"][0] < times["train"][1] < times["test"][0]
    assert times["test"][1] <= "2024-06-28"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["dataset.folds=13"], "dataset.folds: 13 folds need as many groups; there are 12"),
        (["dataset.split.column=patiens"], "dataset.split.column: there is no column 'patiens'"),
        (["dataset.split={by: time, column: x}", "dataset.folds=90"], "dataset.folds: 90 folds by"),
        (["dataset.test_size=0.999"], "dataset.test_size: 0.999 takes 78 of 78 rows and leaves"),
    ],
)
def test_mistakes_that_the_data_show_are_at_their_keys(visits, given, message):
    """As all others are."""
    with pytest.raises(ConfigError) as error:
        visits("dataset.columns.features=[x]", *given)
    assert message in str(error.value)


def test_rows_in_file_order_are_sorted_also_by_time(visits):
    """As `sampling: in_order` has them for every split."""
    run = visits(
        *("dataset.split={by: time, column: day}", "training.sampling=in_order"),
        "dataset.columns.drop=[patient]",
    )
    assert sorted(run.split.train.rows) == run.split.train.rows.tolist()
    assert sorted(run.split.test.rows) != run.split.test.rows.tolist()


# Configs with layers in layers: their mistakes have places, their runs are runs like any other.

NESTED = """\
dataset: {name: iris}
network:
  initializer: he_normal
  layers:
    - {type: dense, units: 8, activation: tanh}
    - type: residual
      layers:
        - {type: dense, units: 6, activation: relu, initializer: zeros}
        - type: residual
          layers: [{type: dense, units: 4}, {type: dense, units: 6}]
        - {type: dense, units: 8}
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
training: {learning_rate: 0.1, iterations: 10, batch_size: 4}
"""
FLAT = NESTED.replace(
    NESTED[NESTED.index("    - type: residual") : NESTED.index("    - {type: dense, units: 3")],
    """\
    - {type: dense, units: 6, activation: relu, initializer: zeros}
    - {type: dense, units: 4}
    - {type: dense, units: 6}
    - {type: dense, units: 8}
""",
)


def the_problem(prepared, text: str, *overrides: str):
    """The one thing that is wrong with a config."""
    with pytest.raises(ConfigError) as caught:
        prepared(text, *overrides)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("old", "new", "line", "path", "message"),
    [
        ("units: 4", "units: -4", 10, "[1].layers[1].layers[0].units", "-4 is not a whole number"),
        ("units: 4", "unit: 4", 10, "[1].layers[1].layers[0].unit", "did you mean 'units'?"),
        ("relu", "rely", 8, "[1].layers[0].activation", "did you mean 'relu'?"),
        ("relu", "softmax", 8, "[1].layers[0].activation", "softmax belongs in the last layer"),
        ("units: 8}\n    - {", "units: 7}\n    - {", 6, "[1]", "the last of them have 8 units"),
        (
            "{type: dense, units: 4}",
            "{type: flaten}",
            10,
            "[1].layers[1].layers[0].type",
            "flatten",
        ),
        (
            "{type: dense, units: 4}",
            "{type: conv2d, channels: 1}",
            10,
            "[1].layers[1].layers[0]",
            "takes images",
        ),
        (
            "[{type: dense, units: 4}, {type: dense, units: 6}]",
            "[]",
            10,
            "[1].layers[1].layers",
            "the list is empty",
        ),
        (
            "[{type: dense, units: 4}, {type: dense, units: 6}]",
            "dense",
            10,
            "[1].layers[1].layers",
            "'dense' is not a list of layers",
        ),
    ],
)
def test_a_mistake_inside_is_located(prepared, old, new, line, path, message):
    """The message is at the line of the innermost thing that is wrong, under its own path."""
    assert NESTED.count(old) == 1
    problem = the_problem(prepared, NESTED.replace(old, new))

    assert message in problem.message
    assert (line, f"network.layers{path}") == (problem.place.line, problem.path)


def test_an_argument_reaches_layers_inside(prepared):
    """`network.layers.1.layers.1.layers.0.units=5` sets what it says."""
    network = prepared(NESTED, "network.layers.1.layers.1.layers.0.units=5").network
    assert (6, 5) == network.parameters["1.1.0.weight"].shape


@pytest.mark.parametrize(
    ("argument", "path", "message"),
    [
        ("network.layers.1.layers.1.layers.0.units=0", "[1].layers[1].layers[0].units", "0 is not"),
        ("network.layers.1.layers.2.units=9", "[1]", "the last of them have 8 units"),
        ("network.layers.1.layers.3.units=9", "[1].layers[3]", "its entries are 0 to 2"),
        ("network.layers.1.layers=[]", "[1].layers", "the list is empty"),
    ],
)
def test_a_mistaken_argument_is_blamed(prepared, argument, path, message):
    """What an argument sets inside is traced to it; one that follows, to the layer's line."""
    problem = the_problem(prepared, NESTED, argument)

    assert f"network.layers{path}" == problem.path
    assert message in problem.message
    assert (argument, None) == (problem.argument, problem.place) or problem.place.line == 6


def test_the_initializer_reaches_layers_inside(prepared):
    """The network's initializer is that of every layer, inside too, which names none itself."""
    config = prepared(NESTED).config
    found = {
        place[1:]: layer.initializer.build()
        for place, layer in config.network.named_layers()
        if layer.type == "dense"
    }

    he, zeros = Initializer("he_normal", 1.0), Initializer("zeros", 1.0)
    assert zeros == found.pop((1, "layers", 0))
    assert {he} == set(found.values())
    assert 5 == len(found)


def test_layers_inside_are_described(prepared):
    """The report holds the layers as the config does, with shapes, parameters and names."""
    ready = prepared(NESTED)
    described = describe_network(ready.config, ready.network)

    assert ["dense", "residual", "dense"] == [layer["type"] for layer in described["layers"]]
    residual = described["layers"][1]
    assert {"type": "residual", "activation": None, "output_shape": [8]}.items() <= residual.items()
    first, inner, last = residual["layers"]
    assert ("1.0", "relu", [6], 54) == tuple(
        first[key] for key in ("name", "activation", "output_shape", "parameters")
    )
    assert ("1.1", 6 * 4 + 4 + 4 * 6 + 6) == (inner["name"], inner["parameters"])
    assert ["1.1.0", "1.1.1"] == [layer["name"] for layer in inner["layers"]]
    assert 54 + inner["parameters"] + last["parameters"] == residual["parameters"]
    total = sum(layer["parameters"] for layer in described["layers"])
    assert described["parameters"] == ready.network.size == total
    assert "name" not in described["layers"][0]


def test_layers_inside_are_counted(prepared):
    """Memory, time and rows at once are at least those of the same layers without the residual."""
    nested, flat = (prepared(text, "training.engine=numpy") for text in (NESTED, FLAT))
    deep, plain = nested.network, flat.network

    assert plain.size == deep.size
    assert flat.memory.activations < nested.memory.activations
    assert flat.memory.parameters == nested.memory.parameters
    assert estimate(flat).seconds < estimate(nested).seconds


def test_divergence_names_the_layer_inside(prepared):
    """The sentence has the dotted index and the type of the layer that went wrong."""
    found = Divergence(7, "1.1.0.weight", 0.5, 3)
    sentence = describe_divergence(prepared(NESTED).config, found)
    assert "the weight of layer 1.1.0 (dense) left the range of numbers" in sentence
    found = Divergence(7, "1.1.0.weight", 0.5, 3, memory="square")
    sentence = describe_divergence(prepared(NESTED).config, found)
    assert "the optimizer's square for the weight of layer 1.1.0 (dense) left" in sentence


def test_engines_say_what_they_cannot(prepared, monkeypatch):
    """Kernels train what has residuals; for a layer without any the run is NumPy's, and a config
    that insists gets the reason.
    """
    long = prepared(NESTED, "training.iterations=10000")
    assert "compiled" == long.engine
    monkeypatch.delitem(EMITTERS, "residual")
    long = prepared(NESTED, "training.iterations=10001")
    assert "numpy" == long.engine
    problem = the_problem(prepared, NESTED, "training.engine=compiled")
    assert "the compiled engine has no layer residual; use engine auto or numpy" == problem.message
