"""`nnrun show`: the details of one run."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path

import click

from nnrun.cli import options
from nnrun.cli.named_run import picked
from nnrun.cli.output import Output
from nnrun.errors import DamageError, NnrunError, UsageError
from nnrun.reports.run_verdict import run_verdict, summary_verdict
from nnrun.reports.terminal.show import run_at_a_glance, run_in_full
from nnrun.runs.catalog.notes import with_notes
from nnrun.runs.catalog.select import lies_in
from nnrun.runs.catalog.summarize import summarize
from nnrun.runs.catalog.summary import DAMAGED, IN_PROGRESS
from nnrun.runs.record import RunRecord
from nnrun.runs.sharing import is_packed
from nnrun.runs.storage.reading import HISTORY, changed_file, read_history, read_run, refuse_damaged


@click.command("show")
@options.run_argument()
@options.flag(
    "--importance", "Show which columns its predictions depend on, or for images which pixels."
)
@options.flag(
    "--slices", "Show for which rows it is worse: by each column, or by the COLUMNs that are named."
)
@options.flag("--pairs", "With --slices: by two columns at once, too.")
@click.argument("columns", metavar="[COLUMN]...", nargs=-1)
@options.data_option
@options.by_option
@options.wide_option
@options.listing_options
def command(
    output: Output,
    /,
    run: str,
    columns: tuple[str, ...],
    importance: bool,
    slices: bool,
    pairs: bool,
    by: str | None,
    results: Path,
) -> None:
    """Show the details of one run: results, learning curve, confusion, network, how to repeat it.

    RUN is a run's folder, the name of an experiment (its newest run), name/best, name/ID-PREFIX, or
    latest.

    \b
    nnrun show latest
    nnrun show digits_cnn
    nnrun show digits_cnn/s42 --json
    nnrun show iris_softmax --importance
    nnrun show boston_linear --slices
    """
    if (columns or pairs) and not slices:
        word = columns[0] if columns else "--pairs"
        raise UsageError(f"'{word}' goes with --slices; `nnrun show RUN` shows one run")
    folder = picked(run, results, output, by)
    stored = read_run(folder, placed=lies_in(folder, results))
    summary = summarize(stored, folder)
    if summary is None:
        raise NnrunError(f"there is no run in {folder} any more")
    if lies_in(folder, results):
        (summary,) = with_notes([summary], results)
    if stored is None or stored.record is None or summary.seed is None:
        from nnrun.reports.terminal.runs import listed_data  # noqa: PLC0415  # slow to import

        output.data(
            {
                **listed_data(summary),
                "folder": str(folder),
                "verdict": summary_verdict(summary).to_dict(),
            }
        )
        output.show(run_at_a_glance(summary, folder))
        return
    if importance or slices:
        refuse_damaged(stored, folder)
        if importance:
            _show_importance(output, folder, stored.record)
        if slices:
            _show_slices(output, folder, stored.record, columns, pairs=pairs)
        return
    _note_search(output, folder, stored.record, results)
    history = read_history(folder)
    changed = changed_file(folder, stored.record, (HISTORY,))
    if changed is not None and summary.status not in IN_PROGRESS:
        summary, history = summary._replace(status=DAMAGED, error=changed), {}
    output.data(
        {
            **stored.record.to_dict(),
            "status": summary.status,
            "note": summary.note,
            "folder": run if is_packed(run) else str(folder),
            "verdict": run_verdict(stored.record).to_dict(),
            "history": {
                name: [v if isfinite(v) else None for v in values]
                for name, values in history.items()
            },
        }
    )
    packed = run if is_packed(run) else None
    output.show(run_in_full(summary, stored.record, history, folder, packed))


def _note_search(output: Output, folder: Path, record: RunRecord, results: Path) -> None:
    """Say so where the search that a run belongs to is damaged."""
    if record.search is None or not lies_in(folder, results):
        return
    from nnrun.sweeps.board.best import read_search  # noqa: PLC0415  # slow to import

    try:
        read_search(results, folder.parent.name)
    except DamageError as error:
        output.note(str(error))


def _show_slices(
    output: Output, folder: Path, record: RunRecord, columns: Sequence[str], *, pairs: bool
) -> None:
    from nnrun.reports.slices import slices_blocks, slices_of  # noqa: PLC0415  # slow to import
    from nnrun.reports.terminal.fitting import blocks  # noqa: PLC0415  # likewise
    from nnrun.sweeps.planning.variants import Datasets  # noqa: PLC0415  # likewise

    slices = slices_of(folder, record, Datasets().load, columns, pairs=pairs)
    output.data(slices.to_dict())
    for block in blocks([*slices_blocks(slices)]):
        output.show(block)


def _show_importance(output: Output, folder: Path, record: RunRecord) -> None:
    from nnrun.reports.importance import importance_of  # noqa: PLC0415  # slow to import
    from nnrun.reports.terminal.show import importance_table  # noqa: PLC0415  # likewise
    from nnrun.sweeps.planning.variants import Datasets  # noqa: PLC0415  # likewise

    importance = importance_of(folder, record, Datasets().load)
    output.data(importance.to_dict())
    output.show(importance_table(importance))
