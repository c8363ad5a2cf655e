"""report.md."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nnrun.reports.markup import code, escape, sentence, table
from nnrun.reports.run import report_markdown


def section(text: str, title: str) -> str:
    """The text below a heading, up to the next one."""
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_results_hold_every_number_and_its_baseline(regression, result):
    """A column for each split, and for the baseline on each."""
    lines = section(report_markdown(result(regression)), "Result").strip().splitlines()
    assert "|  | train | test | baseline train | baseline test |" == lines[0]
    assert "| **mse** | **12.50** | **25.00** | 84.00 | 81.00 |" == lines[2]
    assert "| R² | 0.8500 | 0.7000 | 0 | -0.01000 |" == lines[5]
    assert "**Baseline:** always the mean of the training split." in lines


def test_published_numbers_stand_beside_ours(regression, result):
    """With their source, the difference and its share."""
    text = section(report_markdown(result(regression)), "Result")
    assert "**Published:** a \\| book." in text
    assert "| test mse | 20 | 25.00 | +5.000 | +25.0% |" in text
    assert "Published:" not in report_markdown(result(replace(regression, published=[])))


def test_classes_and_confusion(classification, result):
    """Per-class numbers and the matrix of the test split, whatever the classes are called."""
    text = report_markdown(result(classification))
    lines = section(text, "Predictions").strip().splitlines()
    assert "| a\\|b | 5 | 0.8333 | 1.000 | 0.9091 |" in lines
    assert "| a\\|b | **5** | · |" in lines
    assert "| \\<c\\> | 1 | **4** |" in lines


def test_regression_has_no_classes(regression, result):
    """Nor has a run that diverged."""
    assert "## Predictions" not in report_markdown(result(regression))


def test_a_matrix_too_large_for_a_page_is_left_out(classification, result):
    """Per-class numbers stay; report.json has the matrix."""
    names = [f"class {k}" for k in range(26)]
    numbers = {
        **classification.metrics["test"],
        "confusion": [[1] * 26] * 26,
        **{key: [0.5] * 26 for key in ("precision", "recall", "f1")},
        "support": [26] * 26,
    }
    record = replace(
        classification,
        dataset={**classification.dataset, "classes": names},
        metrics=dict.fromkeys(("train", "validation", "test"), numbers),
    )
    text = report_markdown(result(record))
    assert "| class 25 | 26 | 0.5000 | 0.5000 | 0.5000 |" in text
    assert "true class" not in text


@pytest.mark.parametrize(("evaluations", "rows"), [(1, 1), (10, 10), (11, 10), (1000, 10)])
def test_the_learning_curve_fits_a_page(regression, result, evaluations, rows):
    """At most ten rows, the first and the last evaluation among them, and no row twice."""
    text = section(report_markdown(result(regression, evaluations)), "Learning curves")
    starts = [line.split(" | ")[0] for line in text.splitlines() if line[2:3].isdigit()]
    assert rows == len(set(starts)) == len(starts)
    assert "| 500" == starts[0]
    assert f"| {500 * evaluations:,}" == starts[-1]
    assert (evaluations > 1) == ("| train loss | █" in text)


def test_a_run_without_evaluations_has_no_curve(regression, result):
    """As when it diverged before the first one."""
    assert "Learning curve" not in report_markdown(result(regression, 0))


def test_the_report_says_how_to_repeat_it(regression, result):
    """Config, command, data and weights by their digests, environment, and the data's note."""
    text = report_markdown(result(regression))
    assert "nnrun train config.yaml --results again" in section(text, "To repeat it")
    assert f"| SHA-256 of the weights | {'cd' * 32} |" in text
    assert "learning_rate: 0.01" in section(text, "Config")
    assert "Every evaluation is in history.csv" in text
    assert f"| SHA-256 of the data | {'ab' * 32} |" in text
    assert "**Note:** It is flawed. Use another one." in text
    assert "| packages | numpy 2.0 |" in text
    assert "| 0 | dense, tanh | 4 | 56 |" in section(text, "Network")


def test_a_diverged_run_says_why(regression, result):
    """The error stands at the top, and numbers that do not exist are dashes."""
    record = replace(
        regression,
        status="diverged",
        error="diverged: the loss of Layer 0 left the range",
        weights_sha256=None,
        metrics=dict.fromkeys(("train", "validation", "test")),
        published=[{"metric": "test_mse", "published": 20.0, "ours": None, "difference": None}],
    )
    text = report_markdown(result(record, 0))
    assert "**Error:** Diverged: the loss of Layer 0 left the range." in text
    assert "| **mse** | **–** | **–** | 84.00 | 81.00 |" in text
    assert "| test mse | 20 | – | – | – |" in text
    assert "None" not in text


def test_markup_in_text_is_shown_as_it_is():
    """No HTML, no links, no table cells out of a description; words with underscores stay whole."""
    assert r"\<b\> \[x\](y) a\|b \*\*c\*\* boston_arch2 \_d\_" == escape(
        "<b> [x](y) a|b **c** boston_arch2 _d_"
    )
    assert "a b" == escape("a\nb")
    assert "````\n```\n````" == code("```")
    assert "| a | b |\n| :-- | --: |\n| c | 1 |" == table(["a", "b"], [["c", "1"]])


def test_each_warning_has_a_line(regression, result):
    """With no markup of its own; a good run has none."""
    warnings = [
        {"kind": "one_prediction", "message": "the same for *every* row"},
        {"kind": "feature_scale", "message": "try dataset.features=standard"},
    ]
    lines = report_markdown(result(replace(regression, warnings=warnings))).splitlines()
    assert r"**Warning:** The same for \*every\* row." in lines
    assert "**Warning:** Try dataset.features=standard." in lines
    assert "Warning" not in report_markdown(result(regression))


def test_what_the_error_says_is_not_said_again(regression, result):
    """A diverged run's causes that its error tells are left out below it."""
    warnings = [
        {"kind": "feature_scale", "message": "features differ in scale"},
        {"kind": "learning_rate", "message": "the rate is large"},
    ]
    error = "diverged: the loss left. Features differ in scale"
    record = replace(regression, status="diverged", error=error, warnings=warnings)
    text = report_markdown(result(record))
    assert 1 == text.lower().count("features differ in scale")
    assert "**Warning:** The rate is large." in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it diverged", "It diverged."),
        ("it ended.", "It ended."),
        ("dataset.path: a file", "dataset.path: a file."),
        ("cars/s3-1f cannot be read", "cars/s3-1f cannot be read."),
    ],
)
def test_a_sentence_keeps_the_key_or_the_run_that_it_begins_with(text, expected):
    """They are copied into commands and configs, where case counts."""
    assert expected == sentence(text)
