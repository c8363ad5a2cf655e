"""The surfaces of a watched run over its training."""

from __future__ import annotations

import numpy as np
import pytest

from nnrun.explain.surfaces import extent_of, grid_rows
from nnrun.models.load import load_model as load
from nnrun.reports import watched
from nnrun.reports.document import Figures, Folded
from nnrun.reports.predictions import predictions_of
from nnrun.reports.watched import film_blocks
from nnrun.runs.storage.contents import frames
from nnrun.runs.storage.reading import WATCHED, read_run
from nnrun.sweeps.planning.variants import Datasets
from tests.reports.html.conftest import with_report


def blocks_of(folder):
    record, model = read_run(folder).record, load(folder)
    return list(film_blocks(record, folder, model, predictions_of(record, model, Datasets().load)))


@pytest.fixture(scope="module")
def moons(results):
    return next((results / "moons").iterdir())


def test_the_output_of_stored_frames(moons):
    """The last areas are those of the stored network's predictions over the grid."""
    figures, folded = blocks_of(moons)
    record, model = read_run(moons).record, load(moons)
    train = predictions_of(record, model, Datasets().load).train
    predicted = model.predict(grid_rows(extent_of(train.x), 32))
    areas = [f"{100 * np.mean(predicted == label):.1f}%" for label in "ab"]

    (chart,) = figures.charts
    iterations = [str(iteration) for iteration, _ in frames(moons, record)]
    assert ["60", *areas] == chart.table.rows[-1]
    assert {row[0] for row in chart.table.rows} <= set(iterations)
    assert iterations[0] == chart.table.rows[0][0] == "0"
    assert [(0, "a"), (1, "b")] == figures.legend
    assert isinstance(folded, Folded)
    (layers,) = (block for block in folded.blocks if isinstance(block, Figures))
    assert ["0 (dense, tanh)", "1.0 (dense, relu)", "1 (residual)"] == [
        chart.title.removeprefix("Units of layer ").removesuffix(" over training")
        for chart in layers.charts
    ]


def test_the_stored_network_is_left_as_it_is(moons):
    """Drawing earlier weights does not change the model that other sections show."""
    record, model = read_run(moons).record, load(moons)
    before = model.network.theta.tobytes()
    list(film_blocks(record, moons, model, predictions_of(record, model, Datasets().load)))
    assert before == model.network.theta.tobytes()


def test_other_runs_have_none(results):
    """Runs that were not watched."""
    assert [] == blocks_of(next((results / "houses").iterdir()))


def test_a_changed_file_is_not_drawn(moons, tmp_path):
    """A note says which."""
    changed = with_report(moons, tmp_path / "moons" / "changed")
    (changed / WATCHED).write_bytes(b"something else")
    (note,) = blocks_of(changed)
    assert "bad" == note.kind
    assert f"{changed / WATCHED}: not the file that was written" in note.text


def test_frames_of_another_network_are_not_drawn(moons, monkeypatch):
    """Nor are some of its weights alone."""
    monkeypatch.setattr(
        watched, "frames", lambda folder, record: [(0, {"0.weight": np.zeros((2, 6))})]
    )
    (note,) = blocks_of(moons)
    assert "the weights that were kept on the way are not those of its network" in note.text
