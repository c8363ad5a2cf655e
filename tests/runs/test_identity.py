"""What makes two runs the same run."""

from __future__ import annotations

import shutil

import pytest

from nnrun.config.load import config_to_dict, load_config
from nnrun.config.yaml_scalars import dump
from nnrun.runs import record as identity
from nnrun.runs.preparation.prepare import prepare

CSV = """
name: table
dataset: {path: table.csv, columns: {target: price}, task: regression, test_size: 0}
network: {sizes: [1], activations: [linear]}
loss: mean_squared
training: {learning_rate: 0.01, iterations: 5}
"""


def write_table(folder, text="size,price\n1,2\n2,4\n3,6\n"):
    folder.mkdir(exist_ok=True)
    (folder / "table.csv").write_text(text)
    (folder / "config.yaml").write_text(CSV)
    return folder / "config.yaml"


def run_of(path, *overrides):
    return prepare(load_config(path, overrides)).run_id


def test_the_id_names_the_seed(prepared):
    """s<seed>- and ten hexadecimal digits."""
    run_id = prepared().run_id
    assert run_id.startswith("s3-")
    assert 10 == len(bytes.fromhex(run_id.removeprefix("s3-"))) * 2


def test_ids_are_sorted_by_their_seeds():
    """As numbers, and other names before them."""
    ids = ["s10-00000000aa", "s7-00000000cc", "s7-00000000bb", "notes", "s1000-00000000aa"]
    assert [3, 2, 1, 0, 4] == [ids.index(i) for i in sorted(ids, key=identity.by_seed)]


@pytest.mark.parametrize(
    "override",
    ["seed=4", "training.learning_rate=0.06", "training.dtype=float32", "dataset.stratify=true"],
)
def test_every_setting_counts(prepared, override):
    """Changing what could change a result changes the id."""
    assert prepared().run_id != prepared(None, override).run_id


def test_the_resolved_config_is_the_same_run(prepared, tmp_path):
    """A config with every default written out has the id of the short one it came from."""
    short = prepared()
    path = tmp_path / "resolved.yaml"
    path.write_text(dump(config_to_dict(short.config)))
    assert short.run_id == run_of(path)


def test_moving_the_data_changes_nothing_but_changing_it_does(tmp_path):
    """The digest holds the data itself in place of its path."""
    first = write_table(tmp_path / "first")
    second = write_table(tmp_path / "second")
    assert run_of(first) == run_of(second)
    shutil.copy(first.with_name("table.csv"), tmp_path / "copy.csv")
    assert run_of(first) == run_of(first, f"dataset.path={tmp_path / 'copy.csv'}")
    changed = write_table(tmp_path / "third", "size,price\n1,2\n2,4\n3,7\n")
    assert run_of(first) != run_of(changed)


def test_what_the_data_decide_may_be_written_out(prepared):
    """An explicit value that is what the default comes to names the same run."""
    assert prepared().run_id == prepared(None, "dataset.test_size=0.2").run_id
    assert prepared().run_id == prepared(None, "dataset.task=classification").run_id
    assert prepared().run_id == prepared(None, "training.evaluate_every=10").run_id
    assert prepared().run_id != prepared(None, "dataset.test_size=0.3").run_id
    assert prepared().run_id != prepared(None, "training.evaluate_every=20").run_id
    digits = ("dataset.name=mnist_5k", "network.sizes=[10]", "network.activations=[softmax]")
    given = prepared(None, *digits).run_id
    assert given == prepared(None, *digits, "dataset.test_size=given").run_id
    assert given != prepared(None, *digits, "dataset.test_size=0.2").run_id


def test_options_of_a_data_set_are_part_of_it(prepared):
    """Each makes other data; written out at their defaults they change nothing."""
    moons = ("dataset.name=moons", "network.sizes=[4, 2]")
    plain = prepared(None, *moons).run_id
    assert plain == prepared(None, *moons, "dataset.rows=1000", "dataset.seed=0").run_id
    for option in ("dataset.rows=1001", "dataset.noise=0.2", "dataset.seed=1"):
        assert plain != prepared(None, *moons, option).run_id


@pytest.mark.parametrize(
    "override",
    ["name=other", "description=in other words", "published={test_accuracy: 0.9}", "sweep={}"],
)
def test_words_rename_no_run(prepared, override):
    """A typo in a description is put right without training again; the name is the folder's."""
    assert prepared().run_id == prepared(None, override).run_id


def test_a_new_version_of_the_numerics_is_another_run(prepared, monkeypatch):
    """Numbers from before and after a change of bits never share a folder."""
    before = prepared().run_id
    monkeypatch.setattr(identity, "NUMERICS_VERSION", 999)
    assert before != prepared().run_id
