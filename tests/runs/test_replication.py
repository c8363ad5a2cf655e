"""The notebook's experiments over 20 seeds, against what its procedure gives when it is repeated.

The reference numbers are mean, standard deviation and count of runs of the notebook's procedure
with exact gradients, each run with a split, weights and an order of its own. The seeds are those
that a sweep of the configs takes, from the default on.

There are 16 comparisons, and the Boston rows share their splits. By Bonferroni's inequality, which
holds all the same, a program that is right fails one of them for at most 1 in 100 choices of seeds.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_ind_from_stats

from nnrun.config.load import load_config
from nnrun.runs.control import Control
from nnrun.runs.execute import Execution
from nnrun.runs.prepare import prepare

SEEDS = 20
FALSE_ALARMS = 0.01
# config: (mean, standard deviation, runs) on the training and on the test split
NOTEBOOK = {
    "boston_linear": ((61.2, 3.7, 200), (62.2, 13.7, 200)),
    "iris_softmax": ((0.598, 0.154, 200), (0.519, 0.181, 200)),
    "boston_arch1": ((61.8, 26, 600), (63.9, 28, 600)),
    "boston_arch2": ((61.8, 4.0, 200), (62.6, 13.6, 200)),
    "boston_arch3": ((63.3, 4.5, 200), (64.1, 14.0, 200)),
    "digits_arch1": ((0.962, 0.008, 100), (0.922, 0.014, 100)),
    "digits_arch2": ((0.955, 0.005, 100), (0.920, 0.012, 100)),
    "digits_cnn": ((0.907, 0.024, 80), (0.885, 0.027, 80)),
}
COMPARISONS = 2 * len(NOTEBOOK)


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
    """Both means differ from the notebook's by no more than chance, by Welch's t-test."""
    ours = metrics_over_seeds(configs / f"{name}.yaml")
    for column, (mean, deviation, runs) in enumerate(NOTEBOOK[name]):
        values = ours[:, column]
        p = ttest_ind_from_stats(
            values.mean(), values.std(ddof=1), SEEDS, mean, deviation, runs, equal_var=False
        ).pvalue
        assert p >= FALSE_ALARMS / COMPARISONS, f"{values.mean():.4g} against {mean}: p = {p:.2g}"
