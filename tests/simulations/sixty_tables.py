"""`python -m tests.simulations.sixty_tables ARCHIVES FOLDER -o results/TABLES.md`.

Sixty tables that Python packages ship, by `nnrun init --data` and `nnrun train` alone. ARCHIVES is
a folder of the packages' wheels and source archives. FOLDER keeps the tables, their configs and
what was found; what it has is not run again. `--before FOLDER` has what an earlier version found.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import nnrun
from nnrun.config.scaffold.from_data import draft
from nnrun.errors import NnrunError
from nnrun.reports.numbers import metric_number, signed
from tests.simulations.beside import MODELS
from tests.simulations.best_of_table import table
from tests.simulations.packaged_tables import PackagedTable, packaged_tables

SEEDS = 3
MOST_ROWS = 2_000
"""Larger tables are not swept, since their forests take long."""
_COMMAND = "python -m tests.simulations.sixty_tables ARCHIVES FOLDER -o results/TABLES.md"
Found = dict[str, Any]


def outcome(data: Path) -> Found:
    """What `init --data` and `train` make of a table, which is alone in its folder."""
    config = data.with_name("table.yaml")
    try:
        drafted = draft(data, None, data.parent)
        config.write_text(drafted.text, encoding="utf-8")
        run = nnrun.train(str(config), results=data.with_name("results"))
    except NnrunError as error:
        return {"refused": str(error).replace(str(data), data.name)}
    record = run.record
    metric = "accuracy" if record.task == "classification" else "r2"
    value, baseline = ((found["test"] or {})[metric] for found in (record.metrics, record.baseline))
    return {
        "features": record.dataset["n_features"],
        "target": run.config["dataset"]["columns"]["target"],
        "metric": metric,
        "value": value,
        "baseline": baseline,
        "choices": drafted.choices,
        "warnings": [warning["message"] for warning in record.warnings],
    }


def beside(config: Path, metric: str) -> Found:
    """The mean of the network, and of each model the difference and whether it is beyond chance."""
    board = nnrun.sweep(
        str(config), seeds=SEEDS, beside=MODELS, results=None, order_by=metric, jobs=1
    )
    (group,) = board.groups
    network = next(row for row in group.rows if "beside" not in row.choice)
    found = {one.model: [one.difference, one.low > 0 or one.high < 0] for one in group.beside}
    return {"network": network.mean, "models": found}


def _kept(file: Path, make: Callable[[], Found]) -> Found:
    if not file.exists():
        file.write_text(json.dumps(make(), indent=1))
    found: Found = json.loads(file.read_text())
    return found


def measured(one: PackagedTable, folder: Path) -> Found:
    """The outcome of a table, with its models if it is small enough."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / one.file
    data.write_bytes(one.content)
    found = _kept(folder / "found.json", lambda: outcome(data))
    if "refused" not in found and one.extent[0] <= MOST_ROWS:
        make = partial(beside, folder / "table.yaml", found["metric"])
        found["beside"] = _kept(folder / "beside.json", make)
    return found


def is_past(found: Found) -> bool:
    """Whether the network is better than the baseline on test data."""
    return "refused" not in found and found["value"] > found["baseline"]


def report(tables: list[PackagedTable], found: list[Found], before: list[Found]) -> Iterator[str]:
    """The page."""
    yield "# Sixty tables as they are"
    yield (
        f"Tables of {len({one.package for one in tables})} Python packages, each by two commands, "
        "`nnrun init --data` and `nnrun train`, with no target named: the first sixty by "
        "the SHA-256 of package and path, of all with 60 to 100,000 rows and three columns, at "
        "most ten of a package. The packages and the rule were chosen before any was tried."
    )
    yield f"```sh\n{_COMMAND}\n```"
    yield _shares("", found)
    if before:
        yield _shares("By the drafts before: ", before)
    header = ["rows × columns", "target", "features", "metric", "network", "baseline", "past"]
    rows = [_row(one, have) for one, have in zip(tables, found, strict=True)]
    yield table("table", header, rows)
    yield "The metric is that of test data: R², or accuracy where classes are predicted."
    yield from _refusals("Refused:", tables, found)
    if before:
        yield from _changes(tables, found, before)
    yield from _models(tables, found)


def _shares(start: str, found: list[Found]) -> str:
    trained, past = sum("refused" not in one for one in found), sum(map(is_past, found))
    return f"{start}{trained} of {len(found)} train as they are, and {past} get past the baseline."


def _row(one: PackagedTable, found: Found) -> list[str]:
    rows, columns = one.extent
    cells = [f"{one.package}: {Path(one.name).name}", f"{rows:,} × {columns}"]
    if "refused" in found:
        return [*cells, "–", "–", "refused", "–", "–", "–"]
    return [
        *cells,
        found["target"].replace("|", r"\|"),
        f"{found['features']:,}",
        *_numbers(found),
        "yes" if is_past(found) else "no",
    ]


def _numbers(found: Found) -> list[str]:
    metric = found["metric"]
    shown = "R²" if metric == "r2" else metric
    return [shown, *(metric_number(metric, found[key]) for key in ("value", "baseline"))]


def _refusals(start: str, tables: list[PackagedTable], found: list[Found]) -> Iterator[str]:
    lines = [f"- `{have['refused']}`" for have in found if "refused" in have]
    if lines:
        yield f"{start}\n\n" + "\n".join(lines)


def _changes(tables: list[PackagedTable], found: list[Found], before: list[Found]) -> Iterator[str]:
    """The tables of which an earlier version made something else."""
    rows = []
    for one, new, old in zip(tables, found, before, strict=True):
        kinds = [_in_words(have) for have in (old, new)]
        if kinds[0] != kinds[1]:
            rows.append([f"{one.package}: {Path(one.name).name}", *kinds])
    yield "By the drafts before, and now, where they differ:"
    yield table("table", ["before", "now"], rows)


def _in_words(found: Found) -> str:
    if "refused" in found:
        return "refused"
    metric, value, baseline = _numbers(found)
    return f"{found['target']}: {metric} {value}, baseline {baseline}"


def _models(tables: list[PackagedTable], found: list[Found]) -> Iterator[str]:
    swept = [(one, have) for one, have in zip(tables, found, strict=True) if "beside" in have]
    yield "## Models of scikit-learn beside them"
    yield (
        f"The {len(swept)} tables of at most {MOST_ROWS:,} rows by {SEEDS} seeds: the network's "
        "mean on validation data, by which boards are ordered and which its early stopping "
        "watches, in its favour; and what a model's mean is above it, positive where the model is "
        "better; bold where its 95% interval, which holds for all models of a row, is clear of 0."
    )
    rows = [
        [
            f"{one.package}: {Path(one.name).name}",
            "R²" if have["metric"] == "r2" else have["metric"],
            metric_number(have["metric"], have["beside"]["network"]),
            *(_difference(have["beside"]["models"].get(model)) for model in MODELS),
        ]
        for one, have in swept
    ]
    yield table("table", ["metric", "network", *MODELS], rows)
    yield "\n".join(_sums(swept, model) for model in MODELS)


def _sums(swept: list[tuple[PackagedTable, Found]], model: str) -> str:
    """On how many tables a model is better, and worse."""
    models = [have["beside"]["models"] for _, have in swept]
    found = [one[model] for one in models if model in one]
    better, worse = ([clear for value, clear in found if sign * value > 0] for sign in (1, -1))
    return (
        f"- {model}: better on {len(better)} of {len(found)} (clearly on {sum(better)}), "
        f"worse on {len(worse)} (clearly on {sum(worse)})"
    )


def _difference(found: list[Any] | None) -> str:
    if found is None:
        return "–"
    text = signed(found[0])
    return f"**{text}**" if found[1] else text


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulations.sixty_tables")
    parser.add_argument("archives", type=Path, help="the wheels and source archives")
    parser.add_argument("folder", type=Path, help="keeps what is found")
    parser.add_argument("--before", type=Path, help="the folder of an earlier version")
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    tables, before = packaged_tables(given.archives), []
    places = [f"{number:02}" for number in range(len(tables))]
    if given.before is not None:
        before = [json.loads((given.before / n / "found.json").read_text()) for n in places]
    found = [measured(one, given.folder / n) for one, n in zip(tables, places, strict=True)]
    given.output.write_text("\n\n".join(report(tables, found, before)) + "\n")


if __name__ == "__main__":
    main()
