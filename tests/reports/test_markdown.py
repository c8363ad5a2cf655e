"""Reports as Markdown, documents, and summaries of runs."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from nnrun.reports.document import (
    ASKED,
    AT_ONCE,
    WHOLE,
    Cell,
    Code,
    Curve,
    Curves,
    Document,
    Folded,
    Grid,
    Line,
    Note,
    Section,
    Verdict,
    up_to,
)
from nnrun.reports.html.runs import drawn
from nnrun.reports.markup import code, document_markdown, escape, sentence, table
from nnrun.reports.notebook_blocks import document_html
from nnrun.reports.run import report_markdown
from nnrun.reports.summary import curve_names, layer_kind, layer_rows, layers_by_name, split_words
from nnrun.reports.templates import environment
from nnrun.reports.terminal.fitting import document

# report.md.


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


# Documents: what is in one, every output shows.

LINES = {"train": [4.0, 2.0, 1.0], "test": [5.0, 3.0, 2.0]}
BLOCKS = [
    Note("the mean of all", label="baseline"),
    Note("it is worse than that", "warning", "warning"),
    Note("A sentence alone.", "small"),
    Grid("Numbers", ["name", "value"], [[Cell("first_row"), Cell("0.25")]]),
    Code("nnrun verify latest", "again"),
    Curves([0, 1, 2], [0.0, 0.5, 1.0], [Curve("quantity", "loss", LINES)]),
    Folded("More of it", [Note("folded words")]),
]
FOUND = Document(
    "subject", Verdict(Line("Best", "the first")), [Section("Part", BLOCKS)], about="about it"
)


def terminal(found: Document) -> str:
    file = io.StringIO()
    Console(file=file, width=80).print(document(found, WHOLE))
    return file.getvalue()


def page(found: Document) -> str:
    (section,) = found.sections
    module = environment("nnrun.reports.html").get_template("blocks.html").module
    return "".join(module.block(block) for block in drawn(section.blocks))


RENDERERS = {
    "terminal": terminal,
    "Markdown": document_markdown,
    "page": page,
    "notebook": lambda found: document_html(found, WHOLE),
}


@pytest.mark.parametrize("output", RENDERERS)
def test_every_block_is_in_every_output(output):
    """A statement that a document has is shown by all renderers, and none is said twice."""
    text = " ".join(RENDERERS[output](FOUND).replace("\\_", "_").split())
    words = ("the mean of all", "t is worse than that", "A sentence alone.", "first_row", "0.25")
    words += ("nnrun verify latest", "quantity", "More of it", "folded words")
    assert dict.fromkeys(words, True) == {word: word in text for word in words}
    assert [1] * 4 == [text.count(word) for word in words[:4]]


@pytest.mark.parametrize("output", ["terminal", "Markdown", "notebook"])
def test_the_title_and_the_verdict_come_first(output):
    """Pages have them in their heads."""
    text = RENDERERS[output](FOUND)
    places = [
        text.index(words) for words in ("subject", "about it", "Best", "the first", "the mean")
    ]
    assert sorted(places) == places


def test_less_important_blocks_are_left_out():
    """By their level, and sections that have no other block with them."""
    notes = [Note(str(level), level=level) for level in (AT_ONCE, ASKED, WHOLE)]
    sections = [Section("one", notes), Section("two", notes[2:])]
    shown = [
        [(one.title, [note.text for note in one.blocks]) for one in up_to(level, sections)]
        for level in (AT_ONCE, ASKED)
    ]
    assert [[("one", ["1"])], [("one", ["1", "2"])]] == shown


# What tables say about layers, those within layers included.

INNER = {"type": "dense", "activation": "relu", "output_shape": [8], "parameters": 72}
NETWORK = {
    "input_shape": [4],
    "layers": [
        {"type": "dense", "activation": "linear", "output_shape": [8], "parameters": 40},
        {
            "type": "residual",
            "activation": None,
            "output_shape": [8],
            "parameters": 72 + 72,
            "layers": [
                {**INNER, "name": "1.0"},
                {
                    "type": "residual",
                    "activation": None,
                    "output_shape": [8],
                    "parameters": 72,
                    "name": "1.1",
                    "layers": [{**INNER, "name": "1.1.0"}],
                },
            ],
        },
        {"type": "activation", "activation": None, "output_shape": [8], "parameters": 0},
    ],
    "parameters": 184,
}


def test_layers_inside_are_indented_under_their_layer():
    """Each has its dotted index; what has no parameters of its own shows none, so that they add."""
    step = "\u00a0\u00a0"
    assert [
        ("0", "dense", "8", "40"),
        ("1", "residual", "8", ""),
        ("1.0", f"{step}dense, relu", "8", "72"),
        ("1.1", f"{step}residual", "8", ""),
        ("1.1.0", f"{step}{step}dense, relu", "8", "72"),
        ("2", "activation", "8", ""),
    ] == layer_rows(NETWORK)


def test_layers_are_found_by_the_names_in_those_of_parameters():
    """What stands before the last dot of a parameter's name is the name of its layer."""
    layers = layers_by_name(NETWORK)
    assert ["0", "1", "1.0", "1.1", "1.1.0", "2"] == list(layers)
    assert "dense, relu" == layer_kind(layers["1.1.0.weight".rpartition(".")[0]])


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ({}, []),
        ({"folds": 5, "fold": 2, "stratified": True}, ["fold 2 of 5, stratified"]),
        (
            {"column": "patient", "groups": {"test": 1200, "train": 3}, "stratified": True},
            ["no patient is in two splits: 3 train, 1,200 test, stratified"],
        ),
        (
            {"column": "year", "times": {"train": [1990.0, 2001.5], "test": [2002.0, 2003.0]}},
            ["split by time, year: 1990 to 2001.5 train, 2002 to 2003 test"],
        ),
        (
            {
                "folds": 3,
                "fold": 1,
                "stratified": False,
                "column": "day",
                "times": {"train": ["2024-01-01", "2024-01-09"], "validation": ["a", "b"]},
            },
            [
                "fold 1 of 3",
                "split by time, day: 2024-01-01 to 2024-01-09 train, a to b validation",
            ],
        ),
    ],
)
def test_how_rows_were_split_is_told_in_words(split, words):
    """The fold, whether it is stratified, and the groups or times of each split; else nothing."""
    assert words == list(split_words(split))


@pytest.mark.parametrize(("metric", "names"), [(2.0, ["loss"]), (2.1, ["loss", "mse"])])
def test_a_loss_and_a_metric_that_differ_by_rounding_are_one_curve(metric, names):
    """Both are computed on their own, so that equal ones may differ in their last digit."""
    history = {"train_loss": [3.0, 2.0 + 4e-16], "train_mse": [3.0, metric]}
    assert names == curve_names("mse", [history])
