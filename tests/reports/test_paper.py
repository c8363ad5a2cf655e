"""Tables for papers: their cells and marks, their formats, and what ranks over data sets say."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from nnrun.reports.markup import tex
from nnrun.reports.numbers import ranges
from nnrun.reports.paper import Entry, PaperTable, as_latex
from nnrun.reports.rank_diagram import _joined, as_pdf, drawing
from nnrun.sweeps.board.ranks import ranks_of, signed_ranks
from tests.lab import invoke, invoke_well, refused, write

CONFIG = """
name: {0}
dataset: {{name: {0}, features: standard, validation_size: 0.2}}
network: {{sizes: [4, {1}], activations: [relu, softmax]}}
loss: cross_entropy
training: {{optimizer: adam, learning_rate: 0.01, epochs: 4, batch_size: 32}}
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two data sets, two learning rates and a reference model, three seeds each."""
    folder = tmp_path_factory.mktemp("paper")
    for name, classes in (("iris", 3), ("wine", 3)):
        (folder / f"{name}.yaml").write_text(CONFIG.format(name, classes))
    words = ["training.learning_rate=0.001,0.1", "--seeds", 3, "--beside", "forest"]
    configs = [folder / "iris.yaml", folder / "wine.yaml"]
    invoke_well("sweep", *configs, *words, "-j", 1, "--results", folder / "r")
    return folder / "r"


def test_cells_are_those_of_the_boards(results):
    """Each setting is one row over both data sets, with the means of its board on test rows."""
    found = invoke_well("table", "--results", results, "--json").json
    names = {"learning_rate=0.001", "learning_rate=0.1", "reference model: forest"}
    assert (names, ["iris", "wine"]) == ({*found["settings"]}, found["datasets"])
    board = invoke_well("ls", "--leaderboard", "--results", results, "--json").json
    for at, group in enumerate(board["groups"]):
        for row in group["rows"]:
            beside = row["choice"].get("beside")
            rate = row["choice"].get("training.learning_rate")
            name = f"reference model: {beside}" if beside else f"learning_rate={rate}"
            entry = found["entries"][found["settings"].index(name)][at]
            assert (row["test"]["mean"], 3) == (entry["mean"], entry["runs"])
            assert (row["rank"] == 1, row["tied"]) == (entry["best"], entry["tied"])


def test_markdown_marks_the_first_and_those_that_may_be_the_best(results):
    """One bold number in each column, and the caption says what the marks are."""
    text = invoke_well("table", "--results", results).out
    header, _, *rows = text.split("\n\n")[0].splitlines()
    columns = [*zip(*(row.split("|")[1:-1] for row in rows), strict=True)]
    assert "| setting | iris | wine |" == header
    assert [1, 1] == [sum("**" in cell for cell in column) for column in columns[1:]]
    assert "over 3 runs with seeds of their own. Bold: first by the validation split" in text
    text = invoke_well("table", "--results", results, "--order-by", "log_loss").out
    assert "log loss, smaller is better, on the test split" in text


def test_latex_is_balanced_and_has_a_row_for_each_setting(results):
    """Braces, environments and columns fit, and no character stands for a command."""
    text = invoke_well("table", "--results", results, "--format", "latex", "--ranks").out
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    plain = re.sub(r"\\\\|\\[{}_%&#$]", "", "\n".join(lines))
    depth = np.cumsum([(c == "{") - (c == "}") for c in plain])
    assert (depth.min(), depth[-1]) == (0, 0)
    begun, ended = (re.findall(rf"\\{word}{{(\w+)}}", plain) for word in ("begin", "end"))
    assert sorted(begun) == sorted(ended) == ["figure", "table", "tabular", "tikzpicture"]
    rows = [line for line in lines if line.endswith("\\\\")]
    assert [2] * 4 == [line.count(" & ") for line in rows]
    assert "learning\\_rate=0.1" in text
    assert plain.count("$") % 2 == 0


@pytest.mark.parametrize("text", ["a_b & c%", "{x} \\ #1 $2", "±½日 ~^"])
def test_no_text_is_a_command_of_latex(text):
    """Special characters are escaped, and what TeX has no letter for becomes a question mark."""
    left = re.sub(r"\\(textbackslash|textasciitilde|textasciicircum){}|\\[{}_%&#$]", "", tex(text))
    assert not {*left.replace("$\\pm$", "")} & {*"{}_%&#$~^\\日½"}


@pytest.mark.parametrize("columns", ["onecolumn", "twocolumn"])
def test_latex_compiles_and_fits(results, tmp_path, monkeypatch, columns):
    """Long names of any alphabet, ten data sets, ranks and methods; by TeX where there is one."""
    monkeypatch.chdir(tmp_path)
    names = [f"{n}% größer={'layer_norm ' * 4}& #1 €~^ 日Жα đ «»" for n in range(3)]
    ranks = ranks_of(np.random.default_rng(0).random((10, 3)))
    sets = [f"set_{n} {{m²}}" for n in range(10)]
    entry = Entry(2.3e9, 1.2e8, 5, best=True, tied=True, lost=1)
    same = [["mse"] * 10, ["test"] * 10, ["test"] * 10, [False] * 10, [[entry] * 10] * 3]
    text = as_latex(PaperTable(names, sets, sets, *same, ranks))
    assert r"\textbf{2.30$\times 10^{9}$ $\pm$ 1.2$\times 10^{8}$$^\dagger$}" in text
    assert "$^\\dagger$: without runs that diverged or failed" in text
    for words in (["--ranks"], ["--methods"]):
        text += invoke_well("table", *words, "--results", results, "--format", "latex").out
    start = f"\\documentclass[{columns}]{{article}}\\usepackage{{booktabs,graphicx,tikz,natbib}}"
    write("t.tex", f"{start}\\begin{{document}}\n{text}\n\\end{{document}}\n")
    if compiler := shutil.which("pdflatex"):
        words = [compiler, "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
        done = subprocess.run(words, capture_output=True, check=False)
        assert (0, []) == (done.returncode, re.findall(rb"Overfull .hbox.*", done.stdout))


def test_csv_has_exact_numbers(results):
    """A line for each setting and data set, as JSON has them."""
    text = invoke_well("table", "--results", results, "--format", "csv").out
    found = invoke_well("table", "--results", results, "--json").json
    names = [[name, dataset] for name in found["settings"] for dataset in found["datasets"]]
    entries = [entry for row in found["entries"] for entry in row]
    exact = [[*name, entry["mean"]] for name, entry in zip(names, entries, strict=True)]
    rows = csv.DictReader(io.StringIO(text))
    assert exact == [[row["setting"], row["dataset"], float(row["mean"])] for row in rows]


def test_html_is_one_table(results, tmp_path, monkeypatch):
    """By the ending of the file; every tag that is opened is closed."""
    monkeypatch.chdir(tmp_path)
    invoke_well("table", "--results", results, "-o", "t.html")
    stack, seen = [], []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: (stack.append(tag), seen.append(tag))
    parser.handle_endtag = stack.remove
    parser.feed((tmp_path / "t.html").read_text())
    assert ([], 1, 6) == (stack, seen.count("table"), seen.count("td"))


def test_ranks_are_those_of_a_table_worked_by_hand():
    """Three settings on four data sets: ranks, chi-square and the critical difference."""
    values = np.array([[0.9, 0.8, 0.7], [0.8, 0.9, 0.7], [0.9, 0.8, 0.6], [0.7, 0.6, 0.5]])
    found = ranks_of(values)
    assert [1.25, 1.75, 3.0] == found.mean
    assert found.chi_square == pytest.approx(12 * 4 / 12 * (1.25**2 + 1.75**2 + 9 - 12))
    # 2.343 for three settings at 5%: Demšar 2006, table 5.
    assert found.critical == pytest.approx(2.343 * np.sqrt(3 * 4 / (6 * 4)), abs=1e-3)


def test_equal_values_share_a_rank():
    """Settings that are equal everywhere differ in nothing."""
    found = ranks_of(np.ones((5, 3)))
    assert ([2.0] * 3, 0.0, 1.0) == (found.mean, found.chi_square, found.p)
    assert [None, None] == [pair.p for pair in found.pairs]
    assert all(pair.equal == 1.0 for pair in found.pairs)


def test_the_last_bits_of_means_decide_nothing():
    """0.1 + 0.2 has the rank of 0.3; 0.85 - 0.84 is as large as 0.12 - 0.11, and not above 0.01."""
    noisy = np.array([[0.1 + 0.2, 0.3], [0.85, 0.84], [0.11, 0.12], [0.7, 0.69]])
    found = ranks_of(noisy)
    assert ([1.375, 1.625], 1.0) == (found.mean, found.pairs[0].p)
    assert [(0.0, 1.0, 0.0)] == [(pair.better, pair.equal, pair.worse) for pair in found.pairs]
    assert [] == ranks_of(noisy, rope=None).pairs


def test_signed_ranks_say_which_is_better():
    """Large differences of one sign are certain, small ones are equal, of either sign unsure."""
    assert signed_ranks(np.full(20, 0.1), 0.01) == pytest.approx((1, 0, 0), abs=1e-3)
    assert signed_ranks(np.full(20, 0.001), 0.01) == pytest.approx((0, 1, 0), abs=1e-3)
    better, _, worse = signed_ranks(np.array([0.1, -0.1] * 10), 0.01)
    assert better == pytest.approx(worse, abs=0.02)


def test_lines_join_ranks_that_do_not_differ():
    """The widest spans below the critical difference, none within another."""
    assert [(1.0, 2.0), (2.0, 2.9)] == [*_joined([1.0, 2.0, 2.9, 4.0], 1.1)]
    assert [] == [*_joined([1.0, 3.0], 1.0)]


def test_a_key_has_columns_of_its_own(results):
    """Each value of the key is a column within its data set, with the same entries as before."""
    rows = invoke_well("table", "--results", results, "--json").json
    across = ["--columns", "training.learning_rate"]
    found = invoke_well("table", *across, "--results", results, "--json").json
    assert {"network", "reference model: forest"} == {*found["settings"]}
    expected = {}
    for name, entries in zip(rows["settings"], rows["entries"], strict=True):
        value = name if name.startswith("learning_rate") else ""
        for dataset, entry in zip(rows["datasets"], entries, strict=True):
            expected[f"{dataset} {value}".strip()] = entry
    columns = zip(found["datasets"], zip(*found["entries"], strict=True), strict=True)
    assert expected == {name: next(filter(None, entries)) for name, entries in columns}


def test_a_diagram_has_every_name_in_each_format(results, tmp_path, monkeypatch):
    """SVG is well-formed XML; a PDF's table of objects has their places."""
    monkeypatch.chdir(tmp_path)
    for ending in ("svg", "pdf", "tex"):
        invoke_well("table", "--results", results, "--ranks", "-o", f"d.{ending}")
    texts = [node.text for node in ElementTree.parse("d.svg").iter() if node.tag.endswith("text")]
    file = (tmp_path / "d.pdf").read_bytes()
    settings = invoke_well("table", "--results", results, "--json").json["settings"]
    for name in settings:
        assert [1] == [sum(text.startswith(name) for text in texts)]
        assert name.encode() in file
        assert tex(name) in (tmp_path / "d.tex").read_text().split("tikzpicture")[1]
    start = int(file.split(b"startxref\n")[1].split()[0])
    places = [int(line[:10]) for line in file[start:].splitlines()[3:7]]
    assert [b"%d 0 obj" % n for n in range(1, 5)] == [file[at : at + 7] for at in places]


def test_no_line_of_a_diagram_crosses_a_name():
    """Each upright line below the axis ends at its own name, above all names to its left."""
    ranks = ranks_of(np.random.default_rng(0).random((6, 5)))
    drawn = drawing([f"setting {'longer ' * 9}{n}" for n in range(5)], ranks)
    assert {"0", "1", "2", "3", "4"} == {text.split()[-2] for _, _, text in drawn.texts[-5:]}
    names = [(x, y) for x, y, text in drawn.texts if text.startswith("setting")]
    stems = [(x1, y2) for x1, _, x2, y2, _ in drawn.lines if x1 == x2][-5:]
    assert not any(x < at and low < y for x, y in names for at, low in stems)
    assert as_pdf(drawn).startswith(b"%PDF-1.4")


def test_methods_say_what_was_done(results):
    """Sizes, seeds, what varied and the tests, with the references that are cited."""
    said = invoke_well("table", "--methods", "--results", results, "--json").json
    text = " ".join(said["paragraphs"])
    runs = invoke_well("ls", "--results", results, "--json").json
    seeds = ranges(sorted({run["seed"] for run in runs}))
    for words in (
        "Data are iris; rows are split at random, anew for each seed of a split: 96 for train, "
        "24 for validation, 30 for test.",
        "were trained. Networks have layers dense(4, relu), dense(3, softmax); initial",
        "which draw the split, initial weights and the order of rows.",
        "They differ in training.learning_rate: 0.001, 0.1.",
        f"Each setting was trained 3 times, with seeds {seeds}, which",
        "ordered by the mean accuracy on the validation split; test rows chose nothing.",
        "overlap (Nadeau and Bengio, 2003).",
    ):
        assert words in text
    keys = re.findall(r"@\w+{(\w+),", said["bibtex"])
    assert {"nadeau2003", "hsu1984", "pedregosa2011", "harris2020"} == {*keys}
    answers = {row["question"]: row["answer"] for row in said["checklist"]}
    assert "train 96, validation 24, test 30; rows are split at random" in answers["Splits of iris"]
    assert ("18, all that were trained of these experiments", seeds) == (
        answers["Number of runs"], answers["Seeds"],
    )  # fmt: skip


def test_methods_of_a_single_run_claim_no_statistics(tmp_path, monkeypatch):
    """Without several seeds there is neither an interval nor a comparison."""
    monkeypatch.chdir(tmp_path)
    write("iris.yaml", CONFIG.format("iris", 3))
    invoke_well("train", "iris.yaml", "training.epochs=1")
    said = invoke_well("table", "--methods").out
    assert "trained 1 time, with seeds" in said
    assert not re.search("interval of the mean|may be the best|Nadeau", said)


def test_every_citation_of_latex_is_an_entry_of_the_bibliography(results):
    """The keys of citep are those of the .bib file; braces of both are balanced."""
    words = ["table", "--methods", "--results", results, "--format"]
    text, entries = (invoke_well(*words, form).out for form in ("latex", "bibtex"))
    assert {*re.findall(r"citep{(\w+)}", text)} == {*re.findall(r"@\w+{(\w+),", entries)}
    for each in (text, entries):
        plain = re.sub(r"\\[{}]", "", each)
        assert plain.count("{") == plain.count("}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "is called 'nothing'"),
        (["-o", "t.docx"], "the file's ending is one of .md, .tex, .csv, .html, .svg, .pdf;"),
        (["-o", "t.csv", "--methods"], "--methods has the formats markdown, latex, bibtex"),
        (["-o", "t.svg"], "a diagram is of the ranks of settings: give --ranks"),
        (["--format", "pdf", "--ranks"], "give a file by -o"),
        (["iris", "--ranks"], "on two data sets or more"),
        (["--columns", "seed"], "--columns seed: no two settings here differ in it"),
        (["--ranks", "--columns", "training.learning_rate"], "give one of both"),
    ],
)
def test_tables_that_cannot_be_made_are_refused(results, tmp_path, monkeypatch, words, said):
    """An unknown name or format, and ranks over a single data set; nothing is written."""
    monkeypatch.chdir(tmp_path)
    assert said in refused("table", *words, "--results", results)
    assert [] == [*tmp_path.iterdir()]


def test_settings_without_a_result_somewhere_and_unlike_metrics_are_said(tmp_path, monkeypatch):
    """Ranks are of the other settings; differences of accuracy and mse are not put together."""
    monkeypatch.chdir(tmp_path)
    write("iris.yaml", CONFIG.format("iris", 3))
    text = CONFIG.format("autompg", 1).replace("softmax", "linear").replace("adam", "sgd")
    write("autompg.yaml", text.replace("cross_entropy", "mean_squared"))
    rates = "training.learning_rate=0.001,0.01,1e30"
    invoke("sweep", "iris.yaml", "autompg.yaml", rates, "--seeds", 2, "-j", 1)
    text = invoke_well("table", "--ranks").out
    for words in (
        "mse, smaller is better, for autompg and accuracy, larger is better, for iris on the test",
        "| learning_rate=1.0e+30 | – |",
        "–: no run, or none that completed.",
        "Left out, without a result on every data set: learning_rate=1.0e+30.",
        "Differences of unlike metrics are not compared.",
    ):
        assert words in text
    assert "Wilcoxon" not in text
