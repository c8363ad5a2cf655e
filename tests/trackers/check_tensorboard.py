"""Event files, read by TensorBoard's own reader."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import nnrun
from tests.trackers.conftest import CONFIG

pytestmark = pytest.mark.usefixtures("folder")


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    return found


def curve(folder, tag):
    return [(event.step, event.value) for event in read(folder).Scalars(tag)]


def rounded(run, name):
    """TensorBoard keeps numbers as float32."""
    values = run.history[name].astype("float32").tolist()
    return [*zip(run.history["iteration"].tolist(), values, strict=True)]


def event_files(folder):
    return sorted(path for path in Path(folder).rglob("*tfevents*"))


def test_a_run_is_there_once():
    """Curves by iteration, numbers at the end, settings; a second call finds it there."""
    for _ in range(2):
        run = nnrun.train(CONFIG, tensorboard="tb")
    folder = Path("tb", "flowers", run.run_id)
    (file,) = event_files("tb")
    assert folder == file.parent
    for name in ("train_loss", "validation_accuracy", "learning_rate"):
        assert rounded(run, name) == curve(folder, name)
    assert [100] == [step for step, _ in curve(folder, "final/test_accuracy")]
    assert (
        run.record.weights_sha256
        == json.loads((folder / "nnrun.json").read_text())["nnrun.weights_sha256"]
    )


def test_settings_and_seeds_are_told_apart():
    """TensorBoard's table of settings has a group for each, and a session for each seed."""
    from tensorboard.plugins.hparams import metadata

    board = nnrun.sweep(
        CONFIG, {"training.learning_rate": [0.1, 0.01]}, seeds=2, jobs=2, tensorboard="tb"
    )
    groups: dict[str, set[float]] = {}
    for run in board.runs():
        data = read(Path("tb", "flowers", run.run_id)).SummaryMetadata
        start, end = (
            data(tag).plugin_data.content
            for tag in ("_hparams_/session_start_info", "_hparams_/session_end_info")
        )
        found = metadata.parse_session_start_info_plugin_data(start)
        rate = found.hparams["training.learning_rate"].number_value
        groups.setdefault(found.group_name, set()).add(rate)
        assert "seed" not in found.hparams
        assert 1 == metadata.parse_session_end_info_plugin_data(end).status
    assert [{0.01}, {0.1}] == sorted(groups.values(), key=min)


def test_a_run_that_was_cut_off_is_written_anew():
    """Its one file has each evaluation once."""

    def cut(evaluation):
        if evaluation.iteration == 50:
            raise LookupError

    with pytest.raises(LookupError):
        nnrun.train(CONFIG, tensorboard="tb", on_evaluation=cut)
    (half,) = event_files("tb")
    assert 5 == len(curve(half.parent, "train_loss"))
    run = nnrun.train(CONFIG, tensorboard="tb")
    (whole,) = event_files("tb")
    assert half != whole
    assert rounded(run, "train_loss") == curve(whole.parent, "train_loss")


def test_nothing_is_written_elsewhere(folder):
    """Not through a link, which is said; the run is none the worse."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    Path("tb").mkdir()
    Path("tb", "flowers").symlink_to(elsewhere)
    with pytest.warns(UserWarning, match="TensorBoard in tb") as warned:
        run = nnrun.train(CONFIG, tensorboard="tb")
    assert "completed" == run.status
    assert "is a link that leads elsewhere" in str(warned[0].message)
    assert [] == list(elsewhere.iterdir())
