"""Means from elsewhere: how they are read, and how ours are held against them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_ind_from_stats

from nnrun.errors import UsageError
from nnrun.reports.leaderboard_files import replication_markdown
from nnrun.sweeps.board.means import summarize
from nnrun.sweeps.board.published import Reference, holm, read_references, replications, welch_p
from tests.sweeps.board.boards import named, progress, score

HEADER = "experiment,metric,mean,sd,n,source\n"


def test_welch_is_as_scipy_has_it():
    """For summaries of both sides; for one run alone there is nothing to say."""
    values = [1.0, 1.5, 0.7, 1.1]
    expected = ttest_ind_from_stats(
        np.mean(values), np.std(values, ddof=1), 4, 1.4, 0.3, 50, equal_var=False
    ).pvalue
    reference = Reference(1.4, 0.3, 50, "")
    assert welch_p(summarize(values), reference) == pytest.approx(expected, rel=1e-12)
    assert None is welch_p(summarize([1.0]), reference)
    equal = Reference(1.0, 0.0, 9, "")
    assert (1.0, 0.0) == (welch_p(summarize([1, 1]), equal), welch_p(summarize([2, 2]), equal))


def test_holm():
    """The smallest times their number, the next times one less, and never below one before."""
    assert [0.03, 0.04, 0.04] == pytest.approx(holm([0.01, 0.04, 0.02]))
    assert [0.9, 0.6] == pytest.approx(holm([0.9, 0.3]))
    assert [1.0, 1.0] == holm([0.8, 0.7])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n", ":1: the columns must be experiment,metric,mean,sd,n,source"),
        (HEADER + "a,test_mse,1,2,3,x\nb,test_mse,one,2,3,x\n", ":3: mean and sd must be finite"),
        (HEADER + "a,test_mse,1,2,1,x\n", ":2: mean and sd"),
        (HEADER + "a,test_mse,1\n", ":2: mean and sd"),
        (HEADER + "a,test_mse,nan,2,3,x\n", ":2: mean and sd"),
    ],
)
def test_a_file_that_is_no_reference_is_reported_by_its_line(tmp_path, text, said):
    """Before anything is trained."""
    path = tmp_path / "reference.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"mean and sd|columns") as error:
        read_references(path)
    assert str(error.value).startswith(f"{path}{said}")


def test_means_that_differ_are_marked_and_explained():
    """Beside those that do not; the adjustment counts the rows that were compared."""
    scores = [score(s, test, 0.9) for s, test in enumerate([0.5, 0.6, 0.7])]
    references = {
        ("a", "test_accuracy"): Reference(0.6, 0.1, 100, "a book"),
        ("b", "test_accuracy"): Reference(9.0, 0.1, 100, "a book"),
    }
    rows = replications(progress((named("a"), scores), (named("b"), scores)), references)
    found = {(row.label, row.metric): row for row in rows}
    assert (1.0, False) == (found["a", "test_accuracy"].p, found["a", "test_accuracy"].differs)
    assert found["b", "test_accuracy"].differs
    assert None is found["a", "train_accuracy"].p
    text = replication_markdown(rows, "nnrun sweep x")
    assert "1 of 2 means differ from the reference." in text
    assert "- b, test accuracy: our mean is 8.400 below that of the reference." in text
    assert "Source of the reference: a book." in text
    assert "| 9 (0.1, 100) | **" in text
