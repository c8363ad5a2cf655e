"""Runs of several networks, which predict with their mean, and runs whose weights are averaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from nnrun.config.load import config_from_dict
from nnrun.models.load import load_model, of_member, weights_of
from nnrun.runs.events import Listener
from nnrun.runs.execution.execute import Execution, execute
from nnrun.runs.lifecycle import extend, train
from nnrun.runs.preparation.members import members_of
from nnrun.runs.preparation.prepare import prepare_again
from nnrun.training.state import network_arrays
from nnrun.training.trainer import Trainer
from tests.lab import invoke_well, refused, write

IRIS = """
name: iris
dataset: {name: iris, validation_size: 0.2, features: standard}
network:
  layers:
    - {type: dense, units: 5, activation: tanh}
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
members: 4
training: {optimizer: adam, learning_rate: 0.02, epochs: 8, batch_size: 16, engine: numpy}
"""
OWN = "members={number: 4, validation: own}"
STOPPING = "training.early_stopping={patience: 2}"
DROPOUT = (
    "network.layers=[{type: dense, units: 6, activation: relu}, {type: batch_norm}, "
    "{type: dropout, rate: 0.3}, {type: dense, units: 3, activation: softmax}]"
)
BOSTON = [
    "dataset={name: boston, validation_size: 40, features: standard, target: standard}",
    "network={sizes: [6, 1], activations: [relu, linear]}",
    "loss=mean_squared",
]
SETTINGS = {
    "plain": [],
    "own rows": [OWN],
    "own rows, stopping": [OWN, STOPPING],
    "stopping": [STOPPING, "training.evaluate_every=3"],
    "dropout": [DROPOUT, "training.batch_size=12"],
    "dropout, own rows": [DROPOUT, OWN, "training.batch_size=12"],
    "stratified": [OWN, "dataset.stratify=true"],
    "folds": [OWN, "dataset.folds=5", "dataset.fold=2"],
    "float32": [OWN, "training.dtype=float32"],
    "compiled": [OWN, "training.engine=compiled"],
    "class weights": [OWN, "training.class_weight={setosa: 3}"],
    "noise": [OWN, "training.augment={noise: 0.1}"],
    "in order": [OWN, "training.sampling=in_order"],
    "parts of splits": ["training.evaluate_rows=9", STOPPING],
    "plateau": [OWN, "training.learning_rate={schedule: reduce_on_plateau, initial: 0.1}"],
    "other settings": [
        "members={number: 4, settings: [{training.learning_rate: 0.1, training.optimizer: sgd}, "
        "{network: {sizes: [9, 7, 3], activations: [relu, tanh, softmax]}, training.epochs: 5}]}"
    ],
    "other settings, own rows": [
        "members={number: 4, validation: own, settings: [{training.dtype: float32}, "
        "{training.class_weight: {setosa: 2}, training.batch_size: 8}]}",
        STOPPING,
    ],
    "average": [DROPOUT, OWN, "training.batch_size=12", "training.average={ema: 0.9}"],
    "average, stopping": [OWN, STOPPING, "training.average={ema: 0.9}"],
    "regression": BOSTON,
    "regression, own rows": [*BOSTON, OWN, STOPPING],
}


@pytest.fixture(params=SETTINGS.values(), ids=[*SETTINGS])
def run(request, prepared):
    """A prepared run of four networks."""
    return prepared(IRIS, *request.param)


def test_each_member_has_the_bits_of_its_training_alone(run):
    """A member's weights are those that its own run would have."""
    weights = execute(run, None, Listener()).weights
    for number, member in enumerate(members_of(run)):
        alone = Execution(member)
        alone.train(Listener())
        expected = weights_of(alone.trainer.network)
        found = of_member(weights, number)
        assert expected.keys() == found.keys()
        assert all(np.array_equal(expected[name], found[name]) for name in expected)


def test_the_first_member_is_the_run_without_members(run, prepared, request):
    """The first member has the weights and the history of the run with a single network."""
    words = request.node.callspec.params["run"]
    settings = [word for word in words if not word.startswith("members")]
    alone = execute(prepared(IRIS, *settings, "members=1"), None, Listener())
    result = execute(run, None, Listener())
    first = of_member(result.weights)
    assert all(np.array_equal(alone.weights[name], first[name]) for name in alone.weights)
    assert alone.history == result.history


def test_numbers_are_those_of_the_mean(run):
    """Test outputs are averaged over all members, validation outputs over those held out from."""
    result = execute(run, None, Listener())
    outputs, held_out = [], []
    for number, member in enumerate(members_of(run)):
        member.network.initialize(rng=np.random.default_rng(0))
        for name, array in of_member(result.weights, number).items():
            ({p: q.value for p, q in member.network.parameters.items()} | member.network.buffers)[
                name
            ][...] = array
        outputs.append(member.network.predict(run.examples["test"].x).copy())
        places = member.places[1] if member.places else np.arange(len(run.split.validation))
        part = member.examples["validation"]
        held_out.append((places, member.network.predict(part.x).copy(), part.y))
    metric = "mse" if run.dataset.task == "regression" else "accuracy"

    def value(given, y):
        decoded = run.task.decode(given)
        return np.mean((decoded - y) ** 2) if metric == "mse" else np.mean(decoded == y)

    mean = value(np.mean(outputs, axis=0), run.examples["test"].y)
    assert result.record.metrics["test"][metric] == pytest.approx(mean, rel=1e-5)
    rows = {}
    for places, given, y in held_out:
        for place, output, target in zip(places.tolist(), given, y, strict=True):
            rows.setdefault(place, ([], target))[0].append(output)
    judged = np.array([np.mean(given, axis=0) for given, _ in rows.values()])
    target = np.array([y for _, y in rows.values()])
    expected = value(judged, target)
    assert result.record.metrics["validation"][metric] == pytest.approx(expected, rel=1e-5)
    alone = [value(given, run.examples["test"].y) for given in outputs]
    spread = result.record.members["metrics"]["test"][metric]
    assert (np.mean(alone), np.std(alone, ddof=1)) == pytest.approx(
        tuple(spread.values()), rel=1e-5
    )


class StoppedError(Exception):
    """Ends a training from within."""


@pytest.mark.parametrize("at", [0, 5, 17, 23, 40])
def test_a_run_goes_on_from_any_checkpoint_to_the_same_bits(prepared, at):
    """What was lost with the process is trained again, and nothing else."""
    words = [
        IRIS,
        OWN,
        "training.evaluate_every=2",
        "training.optimizer={type: sgd, momentum: 0.9}",
    ]
    whole, kept = execute(prepared(*words), None, Listener()), []

    def checkpoint(state):
        if len(kept) == at:
            kept.append(state())
            raise StoppedError
        kept.append(None)

    with pytest.raises(StoppedError):
        execute(prepared(*words), None, Listener(checkpoint=checkpoint, decides=True))
    rest = execute(prepared(*words), kept[-1], Listener())
    assert all(np.array_equal(whole.weights[n], rest.weights[n]) for n in whole.weights)
    assert (whole.history, whole.record.metrics) == (rest.history, rest.record.metrics)
    assert whole.record.members == rest.record.members


@pytest.mark.parametrize(
    "words",
    [
        [],
        [OWN, STOPPING, "training.evaluate_every=10"],
        ["training.optimizer=sgd"],
        ["members={number: 3, settings: [{training.optimizer: sgd}]}"],
    ],
    ids=["shared", "own, stopping", "sgd", "settings"],
)
def test_extended_members_are_those_of_the_longer_run(lab, words):
    """Each member goes on from where it ended."""
    write("iris.yaml", IRIS.replace("epochs: 8", "iterations: 60, evaluate_every: 10"))
    invoke_well("train", "iris.yaml", *words, "-q")
    invoke_well("train", "iris", "--extend", "30", "-q")
    invoke_well("train", "iris.yaml", *words, "--iterations", "90", "--results", "whole", "-q")
    (whole,) = Path("whole/iris").glob("s*")
    longer = max(Path("results/iris").glob("s*"), key=lambda folder: folder.stat().st_mtime_ns)
    reports = [json.loads((f / "report.json").read_text()) for f in (whole, longer)]
    for key in ("weights_sha256", "metrics", "members"):
        assert reports[0][key] == reports[1][key]


def test_commands_take_a_run_of_several_networks(lab, tmp_path):
    """The run is verified, shown, explained and predicts as its exported script does."""
    write("iris.yaml", IRIS)
    invoke_well("train", "iris.yaml", OWN, "-q")
    assert "the same bits" in invoke_well("verify", "iris").out
    assert "the mean of 4 networks" in invoke_well("show", "iris").out.replace("\n           ", " ")
    invoke_well("explain", "iris")
    invoke_well("report", "-o", "page.html")
    write("new.csv", "a,b,c,d\n5.1,3.5,1.4,0.2\n6.3,3.3,6.0,2.5\n")
    invoke_well("pack", "iris", "-o", "iris.zip")
    (folder,) = Path("results/iris").glob("s*")
    model = load_model(folder)
    x = np.array([[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]])
    each = [network.predict(model.preprocessing.transform_x(x)) for network in model.networks]
    assert model.predict_proba(x) == pytest.approx(np.mean(each, axis=0), abs=1e-12)
    assert 4 == len(model.networks)
    shutil.rmtree(folder)


@pytest.mark.parametrize("words", [DROPOUT, SETTINGS["other settings"][0]], ids=["one", "several"])
@pytest.mark.parametrize("library", ["numpy", "pytorch"])
def test_scripts_of_several_networks_predict_their_mean(lab, library, words):
    """A script has all networks, and gives the run's probabilities to 1e-12."""
    write("iris.yaml", IRIS)
    invoke_well("train", "iris.yaml", words, "-q")
    invoke_well("export", "iris", "-o", "script.py", "--code", library)
    names = {}
    exec(compile(Path("script.py").read_text(), "script.py", "exec"), names)
    (folder,) = Path("results/iris").glob("s*")
    x = np.random.default_rng(1).normal(4, 2, (30, 4))
    assert load_model(folder).predict_proba(x) == pytest.approx(
        names["predict_proba"](x), abs=1e-12
    )


def test_onnx_of_several_networks_predicts_their_mean(lab):
    """One graph holds all networks."""
    onnxruntime = pytest.importorskip("onnxruntime")
    write("iris.yaml", IRIS)
    invoke_well("train", "iris.yaml", SETTINGS["other settings"][0], "-q")
    invoke_well("export", "iris", "-o", "iris.onnx", "--dtype", "float64")
    session = onnxruntime.InferenceSession("iris.onnx")
    (folder,) = Path("results/iris").glob("s*")
    x = np.random.default_rng(1).normal(4, 2, (30, 4))
    (_, probability) = session.run(None, {"x": x})
    assert load_model(folder).predict_proba(x) == pytest.approx(probability, abs=1e-6)


def test_onnx_takes_the_operators_of_all_networks(lab):
    """A later setting may need a newer set of operators than the first network."""
    onnx = pytest.importorskip("onnx")
    other = "{network: {sizes: [4, 3], activations: [gelu, softmax]}}"
    write("iris.yaml", IRIS.replace("members: 4", f"members: {{number: 2, settings: [{other}]}}"))
    invoke_well("train", "iris.yaml", "-q")
    invoke_well("export", "iris", "-o", "iris.onnx")
    assert [20] == [each.version for each in onnx.load("iris.onnx").opset_import]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("0", "members: 0 is not a whole number of at least 1"),
        ("{number: 4, validation: mine}", "members.validation: 'mine' is not 'shared' or 'own'"),
        ("{validation: own}", "members needs 'number'"),
        ("{number: 4, validation: own}", "set dataset.validation_size"),
        ("{number: 2, settings: [{seed: 3}]}", "'seed' is the same for all members"),
        ("{number: 2, settings: [{training.optimiser: adam}]}", "did you mean 'optimizer'"),
        (
            "{number: 2, settings: [{training.batch_size: 200}]}",
            "training.batch_size: a batch of 200",
        ),
        ("{number: 2, settings: [{network: {sizes: [2], activations: [softmax]}}]}", "2 outputs"),
    ],
)
def test_members_that_cannot_be_are_refused(lab, given, message):
    """The message names the place in the file."""
    content = IRIS.replace("members: 4", f"members: {given}").replace("validation_size: 0.2, ", "")
    err = refused("check", write("iris.yaml", content))
    assert message in err
    assert err.startswith("iris.yaml:9:")


@pytest.mark.parametrize(
    ("setting", "place"),
    [
        ("{training.learning_rate: -1}", "settings[1].training.learning_rate: -1 is not"),
        ("{training.learing_rate: 1}", "settings[1].training.learing_rate: 'learing_rate' is not"),
        (
            "{training: {learning_rate: -1, epochs: 3}}",
            "settings[1].training: training.learning_rate: -1 is not",
        ),
    ],
)
def test_a_mistake_in_a_setting_is_shown_where_it_stands(lab, setting, place):
    """Of several settings, the message names which one, and its key."""
    several = f"members: {{number: 3, settings: [{{training.learning_rate: 0.3}}, {setting}]}}"
    content = IRIS.replace("members: 4", several)
    err = refused("check", write("iris.yaml", content))
    column = several.index(setting) + setting.index(": ") + 3
    assert err.startswith(f"iris.yaml:9:{column}: members.{place}")


def test_memory_is_that_of_all_settings(prepared):
    """Each network counts with its own size, wherever its setting stands."""
    large = "{sizes: [20000, 3], activations: [tanh, softmax]}"
    alone = prepared(IRIS, "members=1").memory
    all_large = prepared(IRIS, "members=4", f"network={large}").memory
    half = prepared(IRIS, f"members={{number: 4, settings: [{{network: {large}}}]}}").memory
    assert 4 * alone.parameters < half.parameters
    assert half.parameters == pytest.approx(all_large.parameters / 2, rel=0.01)
    assert (all_large.activations, all_large.data) == (half.activations, half.data)


def test_a_setting_that_cannot_fit_is_refused(lab):
    """Before anything is trained, as a config's own network is."""
    large = "{network: {sizes: [9000000000, 3], activations: [tanh, softmax]}}"
    content = IRIS.replace("members: 4", f"members: {{number: 2, settings: [{large}]}}")
    assert "this run would take about" in refused("check", write("iris.yaml", content))


@pytest.mark.parametrize("members", [1, 3])
def test_averages_take_memory_in_each_network(prepared, members):
    """Three copies of the parameters more, however many networks there are."""
    words = IRIS, f"members={members}", "training.dtype=float64"
    plain, averaged = prepared(*words), prepared(*words, "training.average={ema: 0.9}")
    more = averaged.memory.parameters - plain.memory.parameters
    assert 3 * 8 * members * plain.network.size == more


def test_members_by_time_cannot_draw_validation_rows(lab):
    """The last rows are for validation, for all members."""
    rows = "\n".join(f"{day},{day % 7},{day % 5}" for day in range(60))
    write("days.csv", f"day,x,y\n{rows}\n")
    content = IRIS.replace(
        "name: iris, valid", "path: days.csv, split: {by: time, column: day}, valid"
    )
    err = refused(
        "check", write("days.yaml", content.replace("members: 4", OWN.replace("=", ": ")))
    )
    assert "by time the last rows are for validation" in err


def test_five_members_hold_out_each_row_once(prepared):
    """Members draw their validation rows among those that none before them has had."""
    run = prepared(IRIS, "members={number: 5, validation: own}")
    drawn = np.concatenate([member.places[1] for member in members_of(run)])
    assert [*range(120)] == sorted(drawn.tolist())


@pytest.mark.parametrize("number", [6, 7, 13])
@pytest.mark.parametrize("words", [[], ["dataset.stratify=true"], ["dataset.validation_size=0.3"]])
def test_rows_are_drawn_again_once_all_were_held_out(prepared, number, words):
    """Every member has as many validation rows, and each row is held out as often as others."""
    run = prepared(IRIS, *words, f"members={{number: {number}, validation: own}}")
    drawn = [member.places[1] for member in members_of(run)]
    assert {len(run.split.validation)} == {len(places) for places in drawn}
    assert {len(places) for places in drawn} == {len({*places.tolist()}) for places in drawn}
    times = np.bincount(np.concatenate(drawn), minlength=120)
    assert times.max() - times.min() <= 1


def test_own_validation_rows_keep_groups_whole(lab, prepared):
    """No group of rows is in a member's training and validation part."""
    rng = np.random.default_rng(0)
    rows = "\n".join(f"{rng.integers(12)},{rng.normal()},{rng.normal()}" for _ in range(150))
    write("groups.csv", f"shop,x,y\n{rows}\n")
    run = prepared(
        IRIS,
        "dataset={path: groups.csv, columns: {target: y}, split: {by: group, column: shop}, "
        "validation_size: 0.2, features: standard}",
        *BOSTON[1:],
        "members={number: 6, validation: own}",
    )
    pool = np.concatenate([run.split.train.rows, run.split.validation.rows])
    for member in members_of(run):
        shops = [set(run.dataset.split_values[pool[places]].tolist()) for places in member.places]
        assert not shops[0] & shops[1]
        assert shops[1]


def test_members_that_had_ended_keep_their_last_state(prepared):
    """A checkpoint has the weights from which training would go on, not the best ones alone."""
    words = [IRIS, OWN, STOPPING, "training.evaluate_every=2", "training.epochs=30"]
    states = []

    def checkpoint(state):
        states.append(state())

    whole = execute(prepared(*words), None, Listener(checkpoint=checkpoint, decides=True))
    for state in states[:: len(states) // 5]:
        rest = execute(prepared(*words), state, Listener())
        expected, found = whole.ending.arrays, rest.ending.arrays
        assert expected.keys() == found.keys()
        assert all(np.array_equal(expected[name], found[name]) for name in expected)
        assert whole.ending.values == {**rest.ending.values}


def test_members_are_judged_by_the_threshold_of_the_run(lab):
    """With `decide`, one alone and all together are measured by the same rule."""
    content = IRIS.replace("name: iris, v", "name: breast_cancer, v").replace(
        "units: 3", "units: 2"
    )
    write("cancer.yaml", content + "decide: {maximize: f1}\n")
    invoke_well("train", "cancer.yaml", OWN, "-q")
    (file,) = Path("results").glob("iris/*/report.json")
    report = json.loads(file.read_text())
    model = load_model(file.parent)
    positive, threshold = model.positive, model.decision.threshold
    from nnrun.config.load import config_from_dict
    from nnrun.data.splits import load_dataset
    from nnrun.runs.preparation.prepare import prepare_again

    config = config_from_dict(report["config"])
    test = prepare_again(config, load_dataset(config.dataset)).split.test
    ready = model.preprocessing.transform_x(test.x)
    right = [
        np.mean((network.predict(ready)[:, positive] >= threshold) == (test.y == positive))
        for network in model.networks
    ]
    assert np.mean(right) == pytest.approx(report["members"]["metrics"]["test"]["accuracy"]["mean"])
    assert sum(report["baseline"]["validation"]["support"]) == report["members"]["rows_judged"]


# Averaged weights are evaluated and kept, and the bits stay the same whatever happens on the way.

DEEP = """
name: deep
dataset: {name: iris, validation_size: 0.2, features: standard}
network:
  layers:
    - {type: dense, units: 6, activation: tanh}
    - {type: batch_norm}
    - {type: dropout, rate: 0.2}
    - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
training:
  learning_rate: 0.05
  iterations: 200
  batch_size: 8
  evaluate_every: 20
  average: {ema: 0.95}
"""
PLAIN = DEEP.replace("    - {type: batch_norm}\n    - {type: dropout, rate: 0.2}\n", "")
AVERAGE_STOPPING = "training.early_stopping={patience: 3}"
VARIANTS = pytest.mark.parametrize(
    ("config", "overrides"),
    [
        (DEEP, ["training.engine=numpy"]),
        (DEEP, ["training.engine=compiled", "training.optimizer=adam", "training.dtype=float32"]),
        (PLAIN, ["training.engine=compiled"]),
        (PLAIN, ["training.engine=numpy", "training.evaluate_rows=50"]),
    ],
    ids=["numpy", "kernels", "function", "parts"],
)


def trained(prepared, *overrides: str, config: str = DEEP) -> Trainer:
    """The trainer of a run, at its end."""
    execution = Execution(prepared(config, *overrides))
    execution.train(Listener())
    return execution.trainer


def copied(trainer: Trainer) -> dict[str, np.ndarray]:
    """Copies of parameters and buffers."""
    return {name: array.copy() for name, array in network_arrays(trainer.network).items()}


@VARIANTS
def test_evaluations_are_of_the_average(prepared, config, overrides):
    """Losses of the history are those of a network that has the average for weights."""
    run = Execution(prepared(config, *overrides)).trainer
    run.update(37)
    own, average = copied(run), {k: v.copy() for k, v in run.optimizer.average.arrays.items()}
    row = run.evaluate_splits()
    for name, array in network_arrays(run.network).items():
        assert own[name].tobytes() == array.tobytes()
        array[...] = average[name]
    for name, split in run.splits.items():
        loss, _ = run.engine.evaluate(split.x, split.loss_target)
        assert row[f"{name}_loss"] == pytest.approx(loss, rel=1e-6)
    for name, array in network_arrays(run.network).items():
        array[...] = own[name]
    assert row["train_loss"] != run.engine.evaluate(split.x, split.loss_target)[0]


@VARIANTS
def test_the_average_is_kept(prepared, store, config, overrides):
    """The stored model predicts with it, to the metrics of the report, and not with the weights."""
    outcome = train(prepared(config, *overrides), store)
    run = prepared(config, *overrides)
    execution = Execution(run)
    execution.trainer.update(200)
    average, theta = execution.trainer.optimizer.average.arrays, execution.trainer.network.theta
    network = load_model(outcome.folder).network
    assert average["theta"].tobytes() == network.theta.tobytes() != theta.tobytes()
    for name, array in network.buffers.items():
        assert average[f"buffers.{name}"].tobytes() == array.tobytes()
    loss = outcome.record.metrics["test"]["loss"]
    test = run.examples["test"]
    assert loss == pytest.approx(network.evaluate(test.x, test.target)[0], rel=1e-6)


@VARIANTS
def test_the_best_weights_are_an_average(prepared, config, overrides):
    """Early stopping restores the average of its best evaluation, and what is kept has its loss."""
    more = (AVERAGE_STOPPING, "training.learning_rate=0.3", "training.iterations=4000")
    run = trained(prepared, *overrides, *more, config=config)
    assert run.stopped_early
    best = run.stopping.best_iteration
    again = Execution(prepared(config, *overrides, *more)).trainer
    again.update(best)
    for name, array in network_arrays(run.network).items():
        assert again.optimizer.average.arrays[name].tobytes() == array.tobytes()
    (row,) = (row for row in run.history if row["iteration"] == best)
    if not run.parts:
        assert row["validation_loss"] == run.evaluate("validation")[0]


@VARIANTS
def test_an_interrupted_run_goes_on_to_the_same_bits(prepared, store, config, overrides):
    """What it keeps until then is the average, and its checkpoint has the weights themselves."""
    whole = train(prepared(config, *overrides), None)
    half = train(prepared(config, *overrides), store, until=80)
    assert "interrupted" == half.record.status
    run = Execution(prepared(config, *overrides)).trainer
    run.update(80)
    kept = half.result.weights
    parameters = run.network.parameters
    with run.averaged():
        for name, parameter in parameters.items():
            assert parameter.value.tobytes() == kept[name].tobytes()
    starts = []
    end = train(
        prepared(config, *overrides), store, Listener(started=lambda run, at: starts.append(at))
    )
    assert [80] == starts
    assert whole.record.weights_sha256 == end.record.weights_sha256
    assert whole.result.history == end.result.history


@VARIANTS
@pytest.mark.parametrize(
    "stopping", [[], [AVERAGE_STOPPING.replace("3", "100")]], ids=["whole", "best"]
)
def test_an_extended_run_is_the_longer_run(prepared, store, config, overrides, stopping):
    """Same id, same weights, same learning curve as its config gives all at once."""
    first = train(prepared(config, *overrides, *stopping), store)
    longer = extend(first.folder, 160)
    outcome = train(longer.prepared, store, extension=longer)
    again = prepare_again(config_from_dict(outcome.record.config), longer.prepared.dataset)
    whole = train(again, None)
    assert whole.record.run_id == outcome.record.run_id != first.record.run_id
    assert whole.record.weights_sha256 == outcome.record.weights_sha256
    assert whole.result.history == outcome.result.history


@pytest.mark.parametrize("ema", ["0", "1", "1.0", "-0.5", "2", "x"])
def test_a_share_that_is_none_is_refused(lab, ema):
    """At its line and column, before anything is written."""
    write("run.yaml", PLAIN.replace("0.95", ema))
    line = PLAIN.splitlines().index("  average: {ema: 0.95}") + 1
    shown = f"'{ema}'" if ema == "x" else ema
    expected = f"run.yaml:{line}:18: training.average.ema: {shown} is not a number greater than 0"
    assert lab.refused("train", "run.yaml").startswith(f"{expected} and below 1\n")
    assert not (lab.folder / "results").exists()


def test_a_number_in_place_of_the_block_says_what_to_write(lab):
    """The block with that number."""
    write("run.yaml", PLAIN.replace("{ema: 0.95}", "0.95"))
    assert "a mapping like {ema: 0.999}; write {ema: 0.95}" in lab.refused("train", "run.yaml")


@pytest.mark.parametrize("average", [True, False], ids=["average", "plain"])
@pytest.mark.parametrize(
    "stopping", [[], [AVERAGE_STOPPING.replace("3", "100")]], ids=["whole", "best"]
)
def test_members_go_on_from_the_weights_themselves(prepared, store, average, stopping):
    """A member that had ended when its run was interrupted ends as if nothing had happened, so that
    the run can be extended.
    """
    text = DEEP if average else DEEP.replace("  average: {ema: 0.95}\n", "")
    words = [text + "members: 3\n", "training.learning_rate=0.5", *stopping]
    half = train(prepared(*words), store, until=480)
    assert "interrupted" == half.record.status
    third = Execution(list(members_of(prepared(*words)))[2]).trainer
    third.update(80)
    with third.averaged():
        for name, array in weights_of(third.network).items():
            assert array.tobytes() == of_member(half.result.weights, 2)[name].tobytes()
    end, whole = train(prepared(*words), store), train(prepared(*words), None)
    assert whole.record.weights_sha256 == end.record.weights_sha256
    expected, actual = whole.result.ending.arrays, end.result.ending.arrays
    assert expected.keys() == actual.keys()
    for name, array in expected.items():
        assert array.tobytes() == actual[name].tobytes()
