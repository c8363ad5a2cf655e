"""`nnrun predict NAME --out-of-fold`: predictions for the data that the runs were made on."""

from __future__ import annotations

from io import BytesIO

from nnrun.cli.group import Interruption
from nnrun.cli.named_run import picked
from nnrun.cli.new_rows import Request, format_of, opened_sink, show_score
from nnrun.cli.options import check_target
from nnrun.cli.output import Output
from nnrun.models.writing import spelled
from nnrun.reports.numbers import plural
from nnrun.sweeps.named_runs import setting_word
from nnrun.sweeps.out_of_fold import OUT_OF_FOLD_WRITERS, out_of_fold


def predict_out_of_fold(output: Output, run: str, request: Request) -> None:
    """Write the predictions, and say what they are made of."""
    file, score = request.file, request.score
    if file is not None:
        check_target(file)
    word, all_seeds = setting_word(run, request.results)
    folder = picked(word, request.results, output, request.by, in_folds=True)
    with Interruption(before="the predictions were complete"):
        found = out_of_fold(
            folder, all_seeds=all_seeds, threshold=request.threshold, carried=request.ids
        )
        if file is not None or not output.json:
            kind = format_of(file, "csv")
            with opened_sink(file, kind) as sink:
                OUT_OF_FOLD_WRITERS[kind](found, sink)
    several = f", each the mean of {len(found.drawn)} runs" if len(found.drawn) > 1 else ""
    output.note(f"out of fold: {plural(len(found.rows), 'row')} in {found.folds} folds{several}")
    if score and several:
        output.note("the score is of these means: as a rule better than that of a single run")
    for words in found.incomplete:
        output.note(f"left out: {words}")
    if found.untested:
        output.note(f"no fold tests {plural(found.untested, 'row')}, the first by time")
    if file is not None:
        output.note(f"wrote {plural(len(found.rows), 'prediction')} to {file}")
    data = {
        "name": found.name,
        "folds": found.folds,
        "seeds": found.seeds,
        "split_seeds": [split for split, _ in found.drawn],
        "rows": len(found.rows),
        "untested": found.untested,
        "incomplete": list(found.incomplete),
        "output": None if file is None else str(file),
        "score": found.score if score else None,
    }
    predictions = BytesIO()
    if output.json and file is None:
        OUT_OF_FOLD_WRITERS["json"](found, predictions)
        predictions.seek(0)
        output.data(data, ("predictions", predictions))
    output.data(data)
    if score:
        show_score(output, found.score, [*spelled(found.classes)], to_stderr=file is None)
