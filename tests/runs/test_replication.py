"""The notebook's experiments over 20 seeds, against what its own code gave over random splits.

The reference numbers are mean, standard deviation and count of repeated runs of the notebook's
procedure, which kept the initial weights fixed and drew the splits; here both are drawn.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from nnrun.config.load import load_config
from nnrun.runs.control import Control
from nnrun.runs.execute import Execution
from nnrun.runs.prepare import prepare

SEEDS = 20
# config: (mean, standard deviation, runs) on the training and on the test split
NOTEBOOK = {
    "boston_linear": ((61.3, 3.9, 20), (63.7, 12.5, 20)),
    "iris_softmax": ((0.736, 0.107, 20), (0.698, 0.167, 20)),
    "boston_arch1": ((60.4, 18.6, 20), (64.5, 22.1, 20)),
    "boston_arch2": ((61.1, 3.7, 20), (64.2, 12.8, 20)),
    "boston_arch3": ((62.7, 3.7, 20), (65.8, 13.1, 20)),
    "digits_arch1": ((0.955, 0.009, 20), (0.913, 0.013, 20)),
    "digits_arch2": ((0.950, 0.008, 20), (0.913, 0.014, 20)),
    "digits_cnn": ((0.904, 0.018, 10), (0.881, 0.031, 10)),
}


def metrics_over_seeds(path):
    """(seeds, 2): the main metric on the training and on the test split."""
    first = load_config(path).config.seed
    rows = []
    for seed in range(first, first + SEEDS):
        run = Execution(prepare(load_config(path, [f"seed={seed}"])))
        record = run.run(Control()).record
        rows.append([record.metrics[split][record.main_metric] for split in ("train", "test")])
    return np.array(rows)


@pytest.mark.parametrize("name", NOTEBOOK)
def test_the_notebooks_results_come_out(configs, name):
    """Both means lie within three standard errors of the difference to the notebook's."""
    ours = metrics_over_seeds(configs / f"{name}.yaml")
    for column, (mean, deviation, runs) in enumerate(NOTEBOOK[name]):
        error = sqrt(deviation**2 / runs + ours[:, column].var(ddof=1) / SEEDS)
        distance = (ours[:, column].mean() - mean) / error
        assert abs(distance) <= 3, f"{ours[:, column].mean():.4g} against {mean}: {distance:.2f}"
