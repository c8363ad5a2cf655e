"""`nnrun table`: settings × data sets for a paper."""

from __future__ import annotations

from pathlib import Path

import click

from nnrun.cli import options
from nnrun.cli.options import check_target
from nnrun.cli.output import Output
from nnrun.errors import UsageError
from nnrun.reports.methods import METHODS, Methods, methods_of
from nnrun.reports.paper import WRITERS, PaperTable, paper_table
from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.select import named
from nnrun.runs.storage.durable import write_atomically
from nnrun.sweeps.board.best import searches_of
from nnrun.sweeps.board.stored import ordered_by, stored_boards, stored_variants

_ENDINGS = {
    ".md": "markdown", ".tex": "latex", ".csv": "csv", ".html": "html", ".svg": "svg",
    ".pdf": "pdf", ".bib": "bibtex",
}  # fmt: skip


@click.command("table")
@click.argument("names", nargs=-1, shell_complete=options.names, metavar="[NAME]...")
@click.option(
    "--format",
    "form",
    type=click.Choice([*_ENDINGS.values()]),
    help="Of the table; by default as the name of the file says, else markdown.",
)
@options.flag("--ranks", "Compare settings over all data sets by their mean ranks.")
@click.option(
    "--rope",
    type=click.FloatRange(0),
    default=0.01,
    show_default=True,
    metavar="X",
    help="With --ranks: differences of the metric up to X do not matter.",
)
@click.option(
    "--columns",
    multiple=True,
    metavar="KEY",
    help="Values of KEY make columns within each data set; may be repeated.",
)
@options.flag("--methods", "Print the text on methods, a checklist and references instead.")
@options.order_by_option
@options.file_option("Write the table there, instead of to stdout.")
@options.results_options
def command(
    output: Output,
    /,
    names: tuple[str, ...],
    form: str | None,
    ranks: bool,
    rope: float,
    columns: tuple[str, ...],
    methods: bool,
    order_by: str | None,
    file: Path | None,
    results: Path,
) -> None:
    """Print the results of settings on data sets, mean ± interval over seeds, for a paper.

    Without NAME, all experiments in the results folder. Each data set, target and kind of split is
    a column; settings with the same keys and values are one row. The first of each column is bold,
    and those that may be the best are underlined: by the statistics of its whole board, on the
    split that boards are ordered by, while numbers are those of the test split. LaTeX takes
    booktabs, graphicx, and tikz for the diagram of critical differences of --ranks, which is also
    made as svg and pdf.

    \b
    nnrun table
    nnrun table iris_softmax wine --format latex
    nnrun table --ranks -o table.tex
    nnrun table --ranks -o diagram.pdf
    nnrun table --methods -o methods.tex
    """
    check_target(file)
    forms = METHODS if methods else WRITERS
    if form is None:
        form = "markdown" if file is None else _ENDINGS.get(file.suffix.lower(), "")
    if not form:
        kinds = [ending for ending, name in _ENDINGS.items() if name in forms]
        raise UsageError(
            f"-o {file}: the file's ending is one of {', '.join(kinds)}; or give --format"
        )
    if form not in forms:
        what = "--methods" if methods else "a table without --methods"
        raise UsageError(f"--format {form}: {what} has the formats {', '.join(forms)}")
    if ranks and columns:
        raise UsageError("--ranks compares data sets, and --columns divides them: give one of both")
    if not results.is_dir():
        raise UsageError(f"there is no results folder {results}; nnrun train and sweep make one")
    names = tuple(named(name, results).rstrip("/") for name in names)
    runs = look(results, names, boards=True, order_by=order_by)
    there = {run.name for run in runs}
    for name in names:
        if name not in there:
            raise UsageError(f"no run in {results} is called '{name}'")
    sound = ordered_by([run for run in runs if run.is_sound], order_by)
    searches = searches_of((results / name for name in sorted(there)), runs)
    judged = {"/".join(key) for key in searches.judged}
    compared = [run for run in sound if run.label not in judged]
    boards = stored_boards(stored_variants(compared, searches.choices))
    made: Methods | PaperTable
    if methods:
        made = methods_of(boards)
        text: str | bytes = METHODS[form](made)
    else:
        made = paper_table(boards, ranks=ranks, rope=rope, columns=columns)
        text = WRITERS[form](made)
    output.data(made.to_dict())
    if file is None and not output.json:
        if isinstance(text, bytes):
            raise UsageError(f"--format {form}: give a file by -o")
        output.text(text)
    if file is None:
        return
    write_atomically(file, text if isinstance(text, bytes) else text.encode())
    output.note(f"wrote {file}")
