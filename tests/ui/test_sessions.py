"""Networks that train in memory for a page."""

from __future__ import annotations

from threading import Thread

import numpy as np
import pytest
import yaml

import nnrun
from nnrun.data.splits import load_dataset
from nnrun.errors import NnrunError
from nnrun.runs.storage.reading import read_history, read_run
from nnrun.ui.playing.session import IDLE_SECONDS, MOST, LostError, Session, Sessions, config_text
from nnrun.ui.playing.start import DRAWN, WORDS, start_drawn, start_stored, values_of
from tests.ui.conftest import run_of


def trained(session: Session, tmp_path) -> dict[str, float]:
    """The last row of the history of a run of the session's config."""
    file = tmp_path / "copied.yaml"
    file.write_text(config_text(session), encoding="utf-8")
    history = nnrun.train(file, results=None).history
    return {name: float(column[-1]) for name, column in history.items()}


def moved(session: Session, *steps: int) -> Session:
    """After this many updates, in these portions."""
    for step in steps:
        session.advance(step, 60.0)
    return session


@pytest.mark.parametrize("data", DRAWN)
def test_the_copied_config_gives_the_same_bits(data, tmp_path):
    """On every drawn data set, whatever the portions of the updates."""
    session = moved(Session(start_drawn(data), {"rows": 60}), 1, 7, 30)
    assert {**session.evaluate()} == trained(session, tmp_path)


@pytest.mark.parametrize(
    "edits",
    [
        {"layers": []}, {"layers": [2, 2, 2], "activation": "relu"}, {"optimizer": "adam"},
        {"optimizer": "momentum", "weight_decay": 0.01}, {"batch_size": 7, "rate": 0.3},
        {"noise": 0.4, "data_seed": 3, "test_size": 0.25, "seed": 5},
    ],
)  # fmt: skip
def test_settings_before_the_first_update_are_in_the_config(edits, tmp_path):
    """The same bits then, and after a reset."""
    session = Session(start_drawn("moons"), {"rows": 60})
    session.change(edits)
    moved(session, 20)
    found = session.evaluate()
    assert found == trained(session, tmp_path)
    session.change({"rate": 0.01})
    moved(session, 3)
    session.restart()
    assert [] == session.changes
    moved(session, 5)
    assert session.evaluate() == trained(session, tmp_path)


def test_the_config_of_a_stored_run_gives_its_history(results):
    """At each of its evaluations, the losses of the run itself, and then those after its end."""
    folder = results / run_of(results, "moons")
    session = Session(start_stored(folder, read_run(folder).record, load_dataset))
    history = read_history(folder)
    for place, iteration in enumerate(history["iteration"]):
        moved(session, int(iteration) - session.iteration)
        row = session.evaluate()
        assert [column[place] for column in history.values()] == [row[name] for name in history]
    moved(session, 10)
    assert 70 == session.iteration


def test_a_schedule_keeps_its_length(tmp_path):
    """A config that is copied before the end of a schedule has the rates of the whole one."""
    config = {
        "dataset": {"name": "moons", "rows": 60},
        "network": {"sizes": [3, 1], "activations": ["tanh", "sigmoid"]},
        "loss": "binary_cross_entropy",
        "training": {"epochs": 5, "batch_size": 8, "early_stopping": None,
                     "learning_rate": {"schedule": "cosine", "initial": 0.5}},
    }  # fmt: skip
    run = nnrun.train(config, results=tmp_path / "results")
    session = Session(start_stored(run.path, read_run(run.path).record, load_dataset))
    moved(session, 12)
    assert session.evaluate() == trained(session, tmp_path)
    assert 0 < session.evaluate()["learning_rate"] < 0.5


def test_a_run_with_everything_gives_the_same_bits(tmp_path):
    """Folds, weights of rows, dropout, batch normalization, clipping, noise, in single precision;
    the note says which schedule the rates follow.
    """
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(60, 2)).round(4), rng.uniform(0.5, 2, 60).round(3)
    rows = [
        f"{a},{b},{w},{'yes' if a * b > 0 else 'no'}\n" for (a, b), w in zip(x, weight, strict=True)
    ]
    (tmp_path / "rows.csv").write_text("a,b,w,y\n" + "".join(rows), encoding="utf-8")
    columns = {"target": "y", "weight": "w"}
    layers = [
        {"type": "dense", "units": 5, "activation": "relu"}, {"type": "batch_norm"},
        {"type": "dropout", "rate": 0.2}, {"type": "dense", "units": 2, "activation": "softmax"},
    ]  # fmt: skip
    config = {
        "dataset": {"path": str(tmp_path / "rows.csv"), "columns": columns, "folds": 3,
                    "features": ["standard"]},
        "network": {"layers": layers}, "loss": "cross_entropy",
        "training": {
            "batch_size": 8, "epochs": 3, "optimizer": "adam", "class_weight": "balanced",
            "dtype": "float32", "clip_norm": 1.0, "engine": "numpy", "watch": True,
            "augment": {"noise": 0.05},
            "learning_rate": {"schedule": "one_cycle", "peak": 0.05},
        },
    }  # fmt: skip
    run = nnrun.train(config, results=tmp_path / "results")
    start = start_stored(run.path, read_run(run.path).record, load_dataset)
    assert "follows the schedule one_cycle" in start.notes[0]
    session = moved(Session(start), 4, 7)
    assert session.evaluate() == trained(session, tmp_path)
    assert "null" not in config_text(session)


def test_weights_stay_where_their_shapes_do():
    """With another rate all, with another width those of other layers, in words too."""
    session = moved(Session(start_drawn("circles"), {"rows": 60, "optimizer": "adam"}), 10)
    before = session.trainer.network.theta.copy()
    memory = {name: array.copy() for name, array in session.trainer.optimizer.state.items()}
    said = session.change({"rate": 0.2, "activation": "relu"})
    assert "From iteration 10 on: learning rate 0.2; activation relu. All weights stay." == said
    np.testing.assert_array_equal(before, session.trainer.network.theta)
    for name, array in session.trainer.optimizer.state.items():
        np.testing.assert_array_equal(memory[name], array)
    kept = session.trainer.network.parameters["0.weight"].value.copy()
    said = session.change({"layers": [4, 5]})
    words = "widths 4, 5. There are fresh weights in layer 1 and the output layer."
    assert f"From iteration 10 on: {words}" == said
    parameters = session.trainer.network.parameters
    np.testing.assert_array_equal(kept, parameters["0.weight"].value)
    assert ((4, 5), (5, 1)) == (parameters["1.weight"].shape, parameters["2.weight"].shape)
    assert 10 == session.iteration == session.trainer.optimizer.steps
    before = session.trainer.network.theta.copy()
    assert "rows 80; noise 0.3. All weights stay." in session.change({"rows": 80, "noise": 0.3})
    np.testing.assert_array_equal(before, session.trainer.network.theta)
    assert 20 == moved(session, 10).iteration


def test_the_output_layer_stays_when_a_layer_goes():
    """If the layer before it has the same width; a hidden layer never becomes the output."""
    session = moved(Session(start_drawn("blobs"), {"rows": 60, "layers": [3, 3]}), 5)
    output = session.trainer.network.parameters["2.weight"].value.copy()
    assert "All weights stay." in session.change({"layers": [3]})
    np.testing.assert_array_equal(output, session.trainer.network.parameters["1.weight"].value)


def test_a_change_on_the_way_is_in_the_config_as_a_comment():
    """With the iteration, the old value and the new one; the settings are the current ones."""
    session = moved(Session(start_drawn("xor"), {"rows": 60}), 30)
    session.change({"rate": 0.5})
    moved(session, 10)
    text = config_text(session)
    assert "#   iteration 30: learning rate 0.1 -> 0.5" in text
    assert "does not give the network of its iteration 40" in text
    data = yaml.safe_load(text)
    assert (0.5, 40) == (data["training"]["learning_rate"], data["training"]["iterations"])


def test_training_goes_on_as_if_nothing_had_changed():
    """Where a value is set to what it is: no row is drawn anew, and nothing is said."""
    plain = moved(Session(start_drawn("circles"), {"rows": 60}), 25)
    session = moved(Session(start_drawn("circles"), {"rows": 60}), 11)
    assert "" == session.change({"rate": 0.1})
    moved(session, 14)
    assert ([], plain.evaluate()) == (session.changes, session.evaluate())


def test_sessions_do_not_disturb_each_other():
    """Two that train at once in threads end as one that trains alone."""
    alone = moved(Session(start_drawn("spirals"), {"rows": 60}), 200)
    both = [Session(start_drawn("spirals"), {"rows": 60}) for _ in range(2)]
    threads = [Thread(target=moved, args=(session, *[20] * 10)) for session in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [alone.evaluate()] * 2 == [session.evaluate() for session in both]


def test_time_in_which_another_trains_does_not_count():
    """A session that has waited for another one makes an update all the same."""
    session = Session(start_drawn("sine"), {"rows": 60})
    session.advance(3, 0.0)
    assert 1 == session.iteration


def test_a_network_that_diverges_goes_back():
    """To the last finite numbers, with the iteration and the layer in words; then it goes on."""
    session = moved(Session(start_drawn("sine"), {"rows": 60, "activation": "relu"}), 20)
    before = session.evaluate()
    session.change({"rate": 1e6})
    moved(session, 50)
    assert "Diverged: the weight of layer 0 (dense) left the range of numbers" in session.trouble
    assert "back at iteration 20" in session.trouble
    assert before["train_loss"] == session.evaluate()["train_loss"]
    assert before["epoch"] == pytest.approx(session.epoch)
    session.change({"rate": 0.01})
    moved(session, 20)
    assert (40, "") == (session.iteration, session.trouble)


def test_a_loss_that_is_only_large_is_said_once():
    """The network keeps its weights, and the reader may go on."""
    session = Session(start_drawn("sine"), {"rows": 60, "layers": [], "rate": 1.0})
    while not session.trouble:
        session.advance(1)
    assert "counts as diverged" in session.trouble
    iteration = session.iteration
    session.advance(1)
    assert (iteration + 1, "") == (session.iteration, session.trouble)


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ({"rate": float("nan")}, "training.learning_rate: .nan is not a number"),
        ({"rate": "fast"}, "training.learning_rate: 'fast' is not a number"),
        ({"rate": {"schedule": "cosine"}}, "learning rate: a single value is needed"),
        ({"layers": [10**400]}, "widths: layer 0 needs 1 to 16 units"),
        ({"layers": [4, True]}, "widths: layer 1 needs 1 to 16 units"),
        ({"layers": [1] * 7}, "up to 6 hidden layers"), ({"layers": "4"}, "up to 6 hidden"),
        ({"rows": 10**9}, "dataset.rows: the playground draws at most 2,000 rows"),
        ({"rows": "many"}, "dataset.rows: 'many' is not a whole number"),
        ({"batch_size": 10**12}, "larger than the training split"),
        ({"noise": float("inf")}, "dataset.noise: .inf is not a number"),
        ({"activation": "sigmiod"}, "did you mean 'sigmoid'?"), ({"activation": []}, "activation"),
        ({"activation": "softmax"}, "softmax belongs in the last layer"),
        ({"optimizer": "magic"}, "choose one of sgd, momentum, adam"),
        ({"seed": -1}, "seed: -1 is not"), ({"path": "/etc/passwd"}, "no setting 'path'"),
        ({"test_size": 1.5}, "dataset.test_size"), ({"weight_decay": None}, "weight_decay"),
    ],
)  # fmt: skip
def test_what_a_config_may_not_have_is_refused(edits, words):
    """With the config's own words or the page's bound; the session stays as it was."""
    session = moved(Session(start_drawn("circles"), {"rows": 60}), 3)
    before = session.evaluate(), session.values
    with pytest.raises(NnrunError) as error:
        session.change(edits)
    assert words in str(error.value)
    assert before == (session.evaluate(), session.values)


def test_runs_of_more_numbers_are_refused(results):
    """And runs without updates; the words say what a playground needs."""
    folder = results / run_of(results, "houses")
    with pytest.raises(NnrunError, match="rows of one or two numbers"):
        Session(start_stored(folder, read_run(folder).record, load_dataset))


def test_layers_of_other_kinds_stay_as_they_are(results):
    """A network with a residual layer keeps its layers; its rate can change."""
    folder = results / run_of(results, "moons")
    session = Session(start_stored(folder, read_run(folder).record, load_dataset))
    for edits in ({"layers": [4]}, {"activation": "tanh"}, {"rows": 50}):
        with pytest.raises(NnrunError):
            session.change(edits)
    moved(session, 3)
    assert "All weights stay." in session.change({"rate": 0.05})


def test_large_networks_are_refused(tmp_path):
    """With the bound; nothing is allocated."""
    config = {
        "dataset": {"name": "moons", "rows": 60}, "loss": "binary_cross_entropy",
        "network": {"sizes": [200, 200, 1], "activations": ["tanh", "tanh", "sigmoid"]},
        "training": {"iterations": 1, "learning_rate": 0.1, "engine": "numpy"},
    }  # fmt: skip
    run = nnrun.train(config, results=tmp_path / "results")
    with pytest.raises(NnrunError, match="at most 20,000 parameters; these are 41,001"):
        Session(start_stored(run.path, read_run(run.path).record, load_dataset))


def test_every_setting_has_a_value():
    """What the page shows of a drawn data set is what the config has."""
    session = Session(start_drawn("circles"))
    assert [*WORDS] == sorted(session.values, key=[*WORDS].index)
    assert {**session.values, "rows": 99} == values_of(
        Session(start_drawn("circles"), {"rows": 99}).prepared.config_dict
    )


def test_sessions_are_few_and_end():
    """Of too many the one idle longest goes, a closed one at once, an idle one in time."""
    now = [0.0]
    kept, session = Sessions(lambda: now[0]), Session(start_drawn("circles"), {"rows": 60})
    keys = [kept.add(session) for _ in range(MOST)]
    kept.find(keys[0])
    keys.append(kept.add(session))
    assert MOST == len(kept)
    kept.find(keys[0])
    for gone in (keys[1], "", None, 3):
        with pytest.raises(LostError):
            kept.find(gone)
    kept.close(keys[0])
    with pytest.raises(LostError):
        kept.find(keys[0])
    now[0] += IDLE_SECONDS / 2
    kept.find(keys[2])
    now[0] += IDLE_SECONDS / 2 + 1
    kept.drop_idle()
    assert (1, session) == (len(kept), kept.find(keys[2]))
