"""`nnrun init`: a first config, a layer without its gradient, the files of a lesson."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from nnrun.cli import options
from nnrun.cli.output import Output
from nnrun.config.files import SUFFIXES, init_hint
from nnrun.config.names import NAME_RULE, is_name
from nnrun.config.scaffold.from_data import Draft, draft, name_of
from nnrun.course.files import NUMBERS, OWN_LAYER, configs, hand_in_name, lesson_of
from nnrun.data.readers.opening import is_data_file
from nnrun.errors import UsageError
from nnrun.plugins.kinds import KINDS, NAME
from nnrun.runs.storage.durable import write_atomically, write_new
from nnrun.unfinished import undone_on_failure

if TYPE_CHECKING:
    from nnrun.config.scaffold.findings import Findings
    from nnrun.config.scaffold.tried import Tried
    from nnrun.config.schema.from_signature import NamedBlock


# `nnrun init`: a commented config to start from.

_STARTER = Path(__file__).with_name("starter.yaml")
_PLACE = re.compile(r"^(?P<before> *# )<(?P<table>\w+)>$", re.MULTILINE)
_WIDTH = 100
# Bytes of a file that take seconds to look at.
_LARGE = 10_000_000
# And of one in which mistakes are found in less than a second.
_QUICK = 2_000_000


def starter() -> str:
    """The config to start from; its comments list the entries of the tables."""
    # The config language is slow to import.
    from nnrun.config.schema.columns import FEATURE_STEPS, STEP_BLOCKS  # noqa: PLC0415
    from nnrun.config.schema.network import LayerConfig, LossConfig  # noqa: PLC0415
    from nnrun.config.schema.training import OptimizerConfig, ScheduleConfig  # noqa: PLC0415
    from nnrun.nn.activations import ACTIVATIONS  # noqa: PLC0415
    from nnrun.nn.initializers import INITIALIZERS  # noqa: PLC0415

    entries = {
        "layers": _with_keys(LayerConfig),
        "activations": [*ACTIVATIONS],
        "initializers": [*INITIALIZERS],
        "steps": [*FEATURE_STEPS, *(f"{{{name}: …}}" for name in STEP_BLOCKS)],
        "losses": _with_keys(LossConfig),
        "optimizers": _with_keys(OptimizerConfig),
        "schedules": _with_keys(ScheduleConfig),
    }

    def filled(place: re.Match[str]) -> str:
        before, table = place["before"], place["table"]
        # Lines are broken between entries, and not within them.
        names = ", ".join(entry.replace(" ", "\u00a0") for entry in entries[table])
        text = f"{table.capitalize()}: {names}"
        lines = wrap(text, _WIDTH, initial_indent=before, subsequent_indent=f"{before}  ")
        return "\n".join(lines).replace("\u00a0", " ")

    return _PLACE.sub(filled, _STARTER.read_text(encoding="utf-8"))


def _with_keys(base: type[NamedBlock]) -> list[str]:
    return [
        f"{name} {{{', '.join(block.parameters)}}}" if block.parameters else name
        for name, block in base.blocks.items()
    ]


def _seconds(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    """The time for trying; seconds may have no unit."""
    from nnrun.config.schema.search import seconds_of_argument  # noqa: PLC0415  # slow to import

    if text is None:
        return None
    try:
        return seconds_of_argument(text)
    except ValueError:
        words = "is not a time above 0, like 20s or 2m; NAME comes before --try"
        raise UsageError(f"--try: '{text}' {words}") from None


@click.command("init")
@click.argument("name", required=False)
@options.path(
    "--data",
    "Write a config for this table (CSV, Parquet, Excel, …), npz file or folder of images.",
)
@click.option("--target", metavar="COLUMN", help="The column of the table to predict.")
@options.path(
    "--layer",
    "Write a commented layer of your own instead, with its gradient left out.",
    metavar="FILE.py",
)
@options.number(
    "--lesson",
    "Write the configs of a lesson of the course instead: `nnrun help course`.",
    min(NUMBERS),
    max(NUMBERS),
)
@click.option(
    "--for",
    "student",
    metavar="NAME",
    help="With the name of an exercise's file, or --lesson: write the variant of this student.",
)
@options.path(
    "--html",
    "Write a page on the columns of the table, each beside the target.",
    metavar="FILE.html",
)
@click.option(
    "--try",
    "tried",
    is_flag=False,
    flag_value="20s",
    metavar="[TIME]",
    callback=_seconds,
    help="Train the draft with other readings of its columns, for 20s in all unless TIME says "
    "otherwise, and take those that are better beyond chance.",
)
@options.output_options
def command(
    output: Output,
    name: str | None,
    data: Path | None,
    target: str | None,
    layer: Path | None,
    lesson: int | None,
    student: str | None,
    html: Path | None,
    tried: float | None,
) -> None:
    """Write NAME.yaml, a commented config to start from ("experiment" by default).

    It trains as it is, in a second or so, and its comments say what else there is. With --data, it
    is a config for that file: its columns and their kinds, what is missing, and a network that
    learns something from it; what is guessed says so. A folder of images has a sub-folder for each
    class; its network is a small convolutional one. Of a table it shows what each column is taken
    for, and first what that may cost. With --try it decides by training what could be read in two
    ways: each reading beside the draft, on the same folds, in memory. Test rows are in no fold.

    \b
    nnrun init mine
    nnrun init --data houses.csv --target price
    nnrun init --data houses.csv --target price --html houses.html
    nnrun init --data houses.csv --target price --try 60s
    nnrun init --data cats/
    nnrun init --layer mylayer.py
    nnrun init --lesson 1
    nnrun init exercise-1.yaml --for "Ada L."
    """
    if student is not None:
        _write_variant(output, student, lesson, name, layer or data or target or html or tried)
        return
    if lesson is not None or layer is not None:
        _write_others(output, layer, lesson, name or data or target)
        return
    if target is not None and data is None:
        raise click.UsageError("--target is a column of the file in --data; give that too")
    options.check_target(html, data, "--html")
    stem = _stem(name, data)
    file = Path(f"{stem}.yaml")
    if data is not None and data.is_file() and data.stat().st_size >= _LARGE:
        output.note(f"reading {data}")
    drafted = Draft(starter(), []) if data is None else draft(data, target, Path.cwd())
    if tried is None and drafted.table is not None:
        from nnrun.sweeps.tried import settled  # noqa: PLC0415  # slow to import

        drafted = settled(drafted, output.note)
    found = _findings(drafted, file)
    given = {"--html": html is not None, "--try": tried is not None, "--json": output.json}
    if found is None and (option := next((name for name in given if given[name]), None)):
        raise UsageError(f"{option} is about the columns of a table")
    if found is not None and tried is not None:
        if file.exists():
            raise _exists(file)
        drafted, found = _tried(drafted, found, tried, output)
    page = None if html is None or found is None else _page(found)
    try:
        write_new(file, drafted.text)
    except FileExistsError:
        raise _exists(file) from None
    quoted = shlex.quote(str(file))
    choices = "".join(f"\n{choice}" for choice in drafted.choices)
    steps = {
        f"nnrun check {quoted}": "shows its network",
        f"nnrun train {quoted}": "trains it",
        f"nnrun train {quoted} training.learning_rate=0.02": "with another setting",
    }
    width = max(map(len, steps))
    lines = "".join(f"\n  {command:{width}}  {what}" for command, what in steps.items())
    output.note(f"wrote {file}; now{lines}{choices}")
    if html is not None and page is not None:
        write_atomically(html, page.encode())
        output.note(f"wrote {html}")
    if data is not None and data.is_file() and data.stat().st_size < _QUICK:
        # Configs and what trains them are slow to import.
        from nnrun.api.checks import data_warnings  # noqa: PLC0415
        from nnrun.config.load import load_config  # noqa: PLC0415

        output.notes(f"warning: {text}" for text in data_warnings(load_config(file)))
    if found is not None:
        _show(output, found)


def _findings(drafted: Draft, file: Path, tried: Sequence[Tried] = ()) -> Findings | None:
    """What there is to show of a table; None of other data."""
    if drafted.table is None:
        return None
    from nnrun.config.scaffold.findings import Findings  # noqa: PLC0415  # tables only

    return Findings(*drafted.table, str(file), tried)


def _exists(file: Path) -> click.BadParameter:
    message = f"{file} exists already, and nothing is overwritten; give another name"
    return click.BadParameter(message, param_hint="NAME")


def _tried(
    drafted: Draft, found: Findings, seconds: float, output: Output
) -> tuple[Draft, Findings | None]:
    """The draft with the readings that are better, and what there is to show of it."""
    from nnrun.config.scaffold.tried import with_taken  # noqa: PLC0415  # for --try alone
    from nnrun.sweeps.tried import try_readings  # noqa: PLC0415  # slow to import

    tried = try_readings(drafted, found.problems, seconds, output.note)
    if not tried:
        output.note("there is no other reading of its columns to try")
    drafted = with_taken(drafted, tried)
    return drafted, _findings(drafted, Path(found.file), tried)


def _page(found: Findings) -> str:
    from nnrun.reports.columns import render  # noqa: PLC0415  # slow to import

    return render(found)


def _show(output: Output, found: Findings) -> None:
    """The columns: on stderr, or with --json as data."""
    if output.json:
        output.data(found.to_dict())
    elif not output.quiet:
        from nnrun.reports.columns import columns_document  # noqa: PLC0415  # slow to import
        from nnrun.reports.terminal.fitting import sections  # noqa: PLC0415  # likewise

        output.show(sections(columns_document(found).sections), to_stderr=True)


def _write_others(output: Output, layer: Path | None, lesson: int | None, config: object) -> None:
    """Write the start of a layer or the files of a lesson; `config` is what only configs have."""
    # The tables are slow to import.

    if lesson is not None:
        if other := config or layer:
            raise click.UsageError(f"--lesson writes the files of a lesson; leave '{other}' out")
        names = " and ".join(write_lesson(lesson))
        output.note(f"wrote {names}; now\n  nnrun help lesson-{lesson}     shows the lesson")
    elif layer is not None:
        if config:
            raise click.UsageError(f"--layer writes a layer and no config; leave '{config}' out")
        name, quoted = write_layer(layer), shlex.quote(str(layer))
        output.note(
            f"wrote {layer}, with the layer '{name}'; write its gradient, and\n"
            f"  nnrun check {quoted}     says what is right"
        )


def _write_variant(
    output: Output, student: str, lesson: int | None, name: str | None, other: object
) -> None:
    """Write an exercise, or with --lesson all files of one, as they are for this student."""
    number = lesson if lesson is not None else lesson_of(Path(name or ""))
    if number is None or other or (lesson is not None and name is not None):
        raise click.UsageError("--for takes --lesson N or a file like exercise-1.yaml, and no more")
    from nnrun.course.variants import checked_name  # noqa: PLC0415  # slow to import

    student = checked_name(student)
    names = " and ".join(write_lesson(number, student, alone=lesson is None))
    output.note(
        f"wrote {names}, for {student}; nnrun check grades it by the name in its first line"
    )


def _stem(name: str | None, data: Path | None) -> str:
    """The name of the experiment: as given, or after the data, or `experiment`."""
    if name is None and data is not None:
        return name_of(data)
    stem = "experiment" if name is None else name
    there = bool(Path(stem).suffix) and not stem.endswith(SUFFIXES) and Path(stem).is_file()
    if is_data_file(stem) or there:
        message = f"'{name}' is a file of data and no name for an experiment; {init_hint(stem)}"
        raise click.BadParameter(message, param_hint="NAME")
    for suffix in SUFFIXES:
        stem = stem.removesuffix(suffix)
    if not is_name(stem):
        message = f"'{name}' is not a name for an experiment ({NAME_RULE})"
        raise click.BadParameter(message, param_hint="NAME")
    return stem


# `nnrun init --layer` and `--lesson`: a layer without its gradient, and the files of a lesson.

_TEXT = '''\
{head}"""A layer of your own.

nnrun check {file}
    says what is right, and what is not yet
nnrun train mine.yaml --plugin {file}
    trains a config that names it, as in layers: [{{type: {name}}}, {{type: dense, units: 1}}]
"""

import numpy as np

from nnrun.nn import Layer, Parameter
from nnrun.nn.signature import PositiveFloat
from nnrun.plugins import register


@register("layer", "{name}")
class {cls}(Layer):
    """y = g x / ({a} + |x|), with a gain g for each number of a row.

    Args:
        start: The first value of every g.
    """

    # The arguments are the layer's keys in a config. Their annotations are checked there:
    # PositiveInt, PositiveFloat, Fraction, bool, … of nnrun.nn.signature.
    def __init__(self, start: PositiveFloat = 1.0) -> None:
        super().__init__()
        self.start = start

    # Called once, with the shape of a row: (13,) for a table, (1, 8, 8) for an image. It makes the
    # parameters, each with a name, a shape and a function that draws its first values, and returns
    # the shape of a row of y.
    def _connect(self, input_shape):
        self.g = Parameter("gain", input_shape, lambda rng: np.full(input_shape, self.start))
        self.parameters = [self.g]
        return input_shape

    # x is (rows, *input_shape). Keep what backward needs, and leave x as it is. rng draws random
    # numbers, as dropout does; it is None outside of training.
    def forward(self, x, rng=None):
        self.x = x
        return self.g.value * x / ({a} + np.abs(x))

    # dy is dL/dy, with the shape of y. Write dL/dg into self.g.grad, and return dL/dx, with the
    # shape of x:
    #
    #     self.g.grad[...] = …    the sum over the rows of dy times dy/dg
    #     return …                dy times dy/dx; that of x / ({a} + |x|) is {a} / ({a} + |x|)²
    def backward(self, dy, needs_dx=True):
        raise NotImplementedError
'''


def write_layer(file: Path, student: str = "") -> str:
    """Write the start of a layer, in the variant of a student if there is one; return its name.

    Raises:
        UsageError: it is no Python file, or is there already.
    """
    from nnrun.course.variants import added, head  # noqa: PLC0415  # slow to import

    if file.suffix != ".py":
        raise UsageError(f"--layer {file}: a layer is written in a Python file, like mylayer.py")
    name = "".join(c if c.isalnum() and c.isascii() else "_" for c in file.stem.lower())
    taken = any(name in kind.table for kind in KINDS.values())
    name = name if NAME.fullmatch(name) and not taken else f"my_{name}"[:40]
    cls = "".join(part.capitalize() for part in name.split("_"))
    try:
        place = {"file": file.name, "name": name, "cls": cls}
        write_new(file, _TEXT.format(**place, head=head(student), a=f"{added(student):g}"))
    except FileExistsError:
        message = f"--layer {file}: exists already, and nothing is overwritten"
        raise UsageError(message) from None
    return name


def write_lesson(lesson: int, student: str = "", *, alone: bool = False) -> list[str]:
    """Write the files of a lesson here, and return their names.

    Args:
        lesson: its number.
        student: whose variant of the exercise it is, if it is one.
        alone: whether to write the exercise and no other file.

    Raises:
        UsageError: one of them is there already; then nothing is written.
    """
    from nnrun.course.variants import start_text  # noqa: PLC0415  # slow to import

    files = configs(lesson)
    if (exercise := hand_in_name(lesson)) in files:
        files[exercise] = start_text(lesson, student)
    files = {name: text for name, text in files.items() if not alone or name == exercise}
    names = [*files, *([hand_in_name(lesson)] if lesson == OWN_LAYER else [])]
    there = [name for name in names if Path(name).exists()]
    if there:
        raise UsageError(
            f"--lesson {lesson}: {there[0]} exists already, and nothing is overwritten"
        )
    written: list[Path] = []

    def remove() -> None:
        for file in written:
            file.unlink(missing_ok=True)

    with undone_on_failure(remove):
        for name, text in files.items():
            write_new(Path(name), text)
            written.append(Path(name))
        if lesson == OWN_LAYER:
            write_layer(Path(hand_in_name(lesson)), student)
    return names
