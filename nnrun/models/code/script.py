"""A model as a script: its layers line by line, and its weights at the end."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from inspect import getsource
from itertools import chain
from textwrap import wrap
from typing import Any

import numpy as np

from nnrun import __version__
from nnrun.characters import escaped, quoted
from nnrun.data.columns import date_formats as dates
from nnrun.data.columns import number_formats as numbers
from nnrun.data.columns.categories import Categorical, Embedding, OneHot, TargetMean
from nnrun.data.columns.cell_errors import MISSING_LABELS, MISSING_NUMBERS
from nnrun.data.columns.column import Column, Number
from nnrun.data.columns.kinds import CYCLIC, PERIODS, Date, Lag
from nnrun.data.columns.missing_words import MissingWords
from nnrun.data.encodings import UTF_8
from nnrun.data.layout import Columns
from nnrun.data.readers.text_lines import DELIMITERS, RARER, SEPARATORS
from nnrun.data.steps import AddsColumns
from nnrun.models.calibration import Calibration
from nnrun.models.code import layers as columns
from nnrun.models.code.layers import (
    NUMPY,
    SCRIPT,
    TORCH,
    Language,
    constant,
    layer_lines,
    step_lines,
)
from nnrun.models.code.source import cells, program, table
from nnrun.models.coverage import Coverage, Promise, likelier, quantile, scales
from nnrun.models.emitters import emitter_of
from nnrun.models.load import Names, weights_of_model
from nnrun.models.model import Model
from nnrun.models.task import Classification
from nnrun.models.writing import label_cells, prediction_names, set_parts, spelled
from nnrun.nn.network import Network, chunk_rows
from nnrun.nn.signature import Array

# What columns of a CSV file become in x, as lines of a script.


@dataclass(frozen=True)
class Cell:
    """A column of a file in a script.

    Args:
        features: an expression of `row`, a dict by the names of the columns: a number, or several
            as `*numbers`.
        constants: what the expression takes from dicts by the column's name, such as CATEGORIES.
    """

    features: str
    constants: Mapping[str, Any] = field(default_factory=dict)


Emitter = Callable[[Any, str, str], Cell]
"""From a column, an expression for its name, and the decimal sign of the file."""


def encoding(columns: Columns) -> Iterator[str]:
    """Constants, and a function `encode` from a row of texts to features.

    Raises:
        UsageError: a column cannot be exported.
    """
    cells = {column.name: _cell(column, repr(column.source), columns) for column in columns}
    yield constant("COLUMNS", list(columns.features))
    named = columns.separator is not None
    signs = SEPARATORS[str(columns.separator)] if named else "".join((*DELIMITERS, *RARER))
    yield constant("SEPARATORS", signs)
    # Without its mark, if it begins with one.
    yield constant("ENCODING", "utf-8-sig" if columns.encoding == UTF_8 else columns.encoding)
    if columns.missing_values:
        yield constant("MISSING_VALUES", _missing_values(columns))
    for name in dict.fromkeys(name for cell in cells.values() for name in cell.constants):
        found = {key: cell.constants[name] for key, cell in cells.items() if name in cell.constants}
        yield constant(name, found)
    yield "\n".join(_encode(columns, [cell.features for cell in cells.values()]))


def _encode(columns: Columns, features: list[str]) -> Iterator[str]:
    yield "def encode(row):"
    yield '    """The features of a row, which is a dict of texts by the names of the columns."""'
    if columns.missing_values:
        yield f"    row = without_words(row, MISSING_VALUES, {columns.decimal!r})"
    if columns.plain:
        alike = {_cell(column, "name", columns).features for column in columns}
        if len(alike) == 1:
            yield f"    return [{alike.pop()} for name in COLUMNS]"
            return
    yield "    return ["
    yield from (f"        {text}," for text in features)
    yield "    ]"


def _missing_values(columns: Columns) -> dict[str, list[str | float]]:
    """The words by column, and the values of those that are numbers."""
    found: dict[str, list[str | float]] = {}
    for name, words in columns.missing_values.items():
        numbers = MissingWords.of("", {"": words}, columns.decimal).numbers
        found[name] = [*dict.fromkeys(map(str.lower, words)), *numbers]
    return found


def _cell(column: Column, name: str, columns: Columns) -> Cell:
    return emitter_of(CELLS, column.kind, SCRIPT)(column, name, columns.decimal)


def _number(column: Number, name: str, decimal: str) -> Cell:
    if column.form is not None:
        form, fills = column.form, ", fills=True" * bool(column.imputed)
        return Cell(
            f"amount(row, {name}, AMOUNTS[{column.name!r}]{fills})", {"AMOUNTS": form.signs}
        )
    options = [f"decimal={decimal!r}"] if decimal != "." else []
    options += ["fills=True"] if column.imputed else []
    return Cell(f"number({', '.join(['row', name, *options])})")


def _category(
    column: Categorical, name: str, decimal: str, form: str, more: Mapping[str, Any] | None = None
) -> Cell:
    """A cell of a form that has `{place}`, the place of its category."""
    constants: dict[str, Any] = {"CATEGORIES": list(column.known)}
    arguments = ["row", name, f"CATEGORIES[{column.name!r}]"]
    if column.rare:
        constants["OTHERS"] = list(column.rare)
        arguments.append(f"others=OTHERS[{column.name!r}]")
    if column.otherwise is not None:
        arguments.append(f"otherwise={column.otherwise}")
    if column.by_value:
        arguments.append(f"decimal={decimal!r}")
    place = f"category({', '.join(arguments)})"
    return Cell(form.replace("{place}", place), {**constants, **(more or {})})


def _one_hot(column: OneHot, name: str, decimal: str) -> Cell:
    return _category(column, name, decimal, f"*one_hot({{place}}, {column.width})")


def _embedding(column: Embedding, name: str, decimal: str) -> Cell:
    return _category(column, name, decimal, "float({place})")


def _target_mean(column: TargetMean, name: str, decimal: str) -> Cell:
    means = {"MEANS": [list(row) for row in column.means]}
    return _category(column, name, decimal, f"*MEANS[{column.name!r}][{{place}}]", means)


def _date(column: Date, name: str, decimal: str) -> Cell:
    circle = PERIODS if CYCLIC in column.wanted else {}
    parts = [(part, *circle.get(part, (0, 0))) for part in column.wanted if part != CYCLIC]
    options = ", fills=True" * bool(column.imputed)
    options += "" if column.zoned is None else f", zoned={column.zoned}"
    taken = f"DATES[{column.name!r}], PARTS[{column.name!r}]"
    constants = {"DATES": column.form.patterns, "PARTS": parts}
    return Cell(f"*date(row, {name}, {taken}{options})", constants)


CELLS: dict[str, Emitter] = {
    "number": _number,
    "one_hot": _one_hot,
    "embedding": _embedding,
    "target_mean": _target_mean,
    "date": _date,
}


# The part of a script that reads files and writes predictions.

FUNCTIONS: tuple[Callable[..., Any], ...] = (
    numbers.plain,
    numbers.unsigned,
    numbers.read_amount,
    numbers.read_amounts,
    dates.iso_date,
    dates.date_by,
    dates.read_date,
    cells.date_part,
    cells.date,
    cells.amount,
    cells.number,
    cells.one_spelling,
    cells.category,
    cells.one_hot,
    cells.plain_number,
    cells.without_words,
    table.read_lines,
    table.table_rows,
    program.read_table,
    program.read_archive,
    program.read_rows,
    table.shown,
    quantile,
    likelier,
    scales,
    program.limits,
    program.labels,
    program.cover,
    program.write,
    program.main,
)
"""What a script takes over where it is needed, before what needs it."""

_WORDS = {"MISSING_LABELS": MISSING_LABELS, "MISSING_NUMBERS": MISSING_NUMBERS}


def has_table(model: Model) -> bool:
    """Whether raw rows are those of a table, a row at a time, and no images."""
    columns = model.layout.columns
    flat = len(model.layout.shape) == 1 and bool(columns.features)
    return flat and not any(column.kind == Lag.kind for column in columns)


def usage(model: Model) -> str:
    """The arguments of the script."""
    option = "[--coverage SHARE] " if _covers(model) else ""
    return f"{option}{'ROWS.csv' if has_table(model) else 'ROWS.npz'} > PREDICTIONS.csv"


def _covers(model: Model) -> bool:
    """Whether there are errors on rows that were not trained on, for intervals or sets."""
    return model.errors is not None and (model.probabilistic or not model.classes.size)


def program_parts(model: Model) -> Iterator[str]:
    """Constants and functions up to `main`.

    Raises:
        UsageError: a column of the table cannot be exported.
    """
    table = has_table(model)
    *constants, encode = encoding(model.layout.columns) if table else [""]
    reading = f"READ = {'read_rows' if table else 'read_archive'}"
    covering = [*_covering(model)] if _covers(model) else ["OPTIONS = {}"]
    called = "likelier scales" if _covers(model) else ""  # by `sets` and `intervals`
    functions = sources(FUNCTIONS, "\n".join([encode, reading, *covering, called, "main"]))
    for name, texts in _WORDS.items():
        if any(name in text for text in functions):
            constants.append(constant(name, sorted(texts)))
    yield "\n".join(constants)
    yield encode
    yield from functions
    yield "\n".join([*_constants(model), *covering, reading])


def _constants(model: Model) -> Iterator[str]:
    """What the functions of `nnrun.models.code.source.program` need to know."""
    yield constant("USAGE", usage(model))
    yield constant("HEADER", [quoted(escaped(name)) for name in prediction_names(model)])
    spellings = label_cells(spelled(model.classes).tolist())
    labels = zip(map(str, model.classes.tolist()), spellings, strict=True)
    yield constant("LABELS", {label: cell for label, cell in labels if label != cell})
    yield f"BATCH = {chunk_rows(model.network)}"
    yield "UNSEEN = {}"
    yield f"RESULTS = [{'predict, predict_proba' if model.probabilistic else 'predict'}]"


def _covering(model: Model) -> Iterator[str]:
    """What the functions that write intervals or sets need to know."""
    assert model.errors is not None
    names = prediction_names(model, Promise(0.5))
    yield constant("COVERED", [quoted(escaped(name)) for name in names])
    yield "Array = np.ndarray"
    yield 'OPTIONS = {"--coverage": cover}'
    ends = "lambda x, coverage: np.column_stack(intervals(x, coverage))"
    own = "own_proba" if model.calibrating else "predict_proba"
    of_classes = f"lambda x, coverage: labels({own}(x), sets(x, coverage))"
    yield f"COVERING = {of_classes if model.layout.classes else ends}"
    yield constant("ROWS", [rows for _, _, rows in _errors(model.errors, model)])
    yield f"UNITS = {model.errors.units!r}"
    if model.errors.scale:
        yield constant("SCALE", [*model.errors.scale])
    if model.layout.classes:
        spellings = [str(label) for label in spelled(model.classes).tolist()]
        alone = label_cells(spelled(model.classes).tolist())
        parts = ([text.replace('"', '""') for text in part] for part in set_parts(spellings))
        yield constant("SPELLED", [*zip(alone, *parts, strict=True)])


def _errors(errors: Coverage, model: Model) -> list[tuple[Array, Array, int]]:
    """What limits are found from: of each output, or of all classes together."""
    numbers = range(len(errors.scores))
    together = [[*numbers]] if model.layout.classes else [[number] for number in numbers]
    return [errors.joined(each) for each in together]


def sources(functions: Sequence[Callable[..., Any]], text: str) -> list[str]:
    """The sources of the functions that the text names, and of those that these name."""
    found: list[str] = []
    for function in reversed(functions):
        if re.search(rf"\b{function.__name__}\b", text):
            found.insert(0, _source(function))
            text += found[0]
    return found


@cache
def _source(function: Callable[..., Any]) -> str:
    return getsource(function).strip()


LANGUAGES: dict[str, Language] = {"numpy": NUMPY, "pytorch": TORCH}
_WIDTH = 96


def script(model: Model, language: Language) -> str:
    """The source: functions `outputs`, `predict` and, with probabilities, `predict_proba`, of raw
    rows x as an array; their results are those of the model's methods, in the same dtype.

    Raises:
        UsageError: a layer or a step of preprocessing cannot be exported.
    """
    before, number = [*_preparation(model, language)], len(model.networks)
    networks = [[*_network(model, each, language)] for each in model.networks[: model.settings]]
    says, body = "What the network puts out for raw rows x, an array.", [*before, *networks[0]]
    functions: list[str] = []
    if number > 1:
        names = [f"one_{at}" if at else "one" for at in range(len(networks))]
        functions = [
            _function(name, _OF_ONE, ["return h"], lines, "h, W")
            for name, lines in zip(names, networks, strict=True)
        ]
        call = names[0] if len(names) == 1 else f"({', '.join(names)})[number % {len(names)}]"
        of_each = [f"return {_EACH.format(call=call, number=number)}"]
        functions += [_MEMBER, _function("each", _SAYS_EACH, of_each, before)]
        body = [f"h = sum(each(x)) / {number}"]
    meaning = [*_meaning(model, language)]
    parts = [
        *_helpers(language, [*before, *chain(*networks), *meaning]),
        *functions,
        _function("outputs", says, ["return h"], body),
        *meaning,
        *program_parts(model),
        "\n".join(_loading(model, language)),
        'if __name__ == "__main__":\n    main()',
    ]
    source = "\n\n\n".join(part.strip("\n") for part in parts if part)
    head = [f'"""{_heading(model)}"""', *_imports(source, language)]
    return "\n".join(head) + f"\n\n\n{source}\n"


_STANDARD = ("base64", "csv", "math", "re", "sys", "zipfile")
_NAMES = {
    "datetime": ("UTC", "datetime", "timedelta", "timezone"),
    "collections.abc": ("Iterator", "Mapping", "Sequence"),
    "math": ("factorial", "sqrt"),
    "typing": ("Any",),
}


def _imports(source: str, language: Language) -> Iterator[str]:
    """Lines that import what the source uses."""
    yield "\nfrom __future__ import annotations\n"
    yield from (f"import {name}" for name in _STANDARD if f"{name}." in source)
    for module, names in _NAMES.items():
        used = [name for name in names if re.search(rf"(?<!\.)\b{name}\b", source)]
        if used:
            yield f"from {module} import {', '.join(used)}"
    yield ""
    yield from language.imports
    if "chebval(" in source:
        yield "from numpy.polynomial.chebyshev import chebval"


def _heading(model: Model) -> str:
    layout, shape = model.layout, _sides(model.layout.shape)
    what = "one of " + ", ".join(layout.classes[:10]) + ", …" * (len(layout.classes) > 10)
    if layout.task == "regression":
        what = ", ".join(layout.target_names)
    lines = [f"The network of the run {model.run_id}, written by nnrun {__version__}.", ""]
    lines += [f"As a program: python THIS_FILE {usage(model)}", ""]
    features = ""
    if has_table(model):
        lines += wrap(f"Files have the columns {', '.join(layout.columns.features)}.", 90)
    if len(model.layout.shape) == 1 and layout.columns.features:
        names = ", ".join(layout.columns.feature_names)
        features = ", as they are in files" if layout.columns.plain else f": {names}"
    lines += wrap(f"Raw rows x have the shape (rows, {shape}){features}.", 90)
    for text in columns.notes(layout.columns):
        lines += wrap(text, 90)
    lines += wrap(f"It predicts {what}.", 90)
    # Names come from data files; in a docstring they must not end it.
    text = escaped("\n".join(lines)).replace("\\", "/")
    return text.replace('"""', "'''") + "\n"


def _sides(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))


_OF_ONE = "What one of the networks, with the weights W, puts out for prepared rows h."
_SAYS_EACH = "What each of the networks puts out for raw rows x, an array."
_EACH = "[{call}(h, member(number)) for number in range({number})]"
_MEMBER = '''def member(number):
    """The weights of one of the networks."""
    head = f"members.{number}."
    return {name.removeprefix(head): w for name, w in W.items() if name.startswith(head)}
'''


def _function(name: str, says: str, ending: list[str], body: list[str], takes: str = "x") -> str:
    lines = [f"def {name}({takes}):", f'    """{says}"""', *(f"    {text}" for text in body)]
    return "\n".join([*lines, *(f"    {text}" for text in ending)])


def _preparation(model: Model, language: Language) -> Iterator[str]:
    yield f"h = {language.take}"
    yield f"h = h.reshape(len(h), {_sides(model.layout.shape)})"
    yield from columns.lines(model.layout.columns)
    added = []
    for index, step in enumerate(model.preprocessing.steps):
        name = f"features.{index}"
        if isinstance(step, AddsColumns) and len(step.place):
            added.append(f"added_{index}")
            yield f"{added[-1]} = {emitter_of(columns.ADDED, step.name, SCRIPT)(name)}"
        yield from step_lines(name, step, language.steps, language.name)
    if added:
        yield f"h = {language.join}([h, {', '.join(added)}], 1)"
    yield "h = " + language.cast.format(dtype=model.network.dtype.name)
    if model.network.input_shape != model.layout.shape and not added:
        yield f"h = h.reshape(len(h), {_sides(model.network.input_shape)})"


def _network(model: Model, network: Network, language: Language) -> Iterator[str]:
    """The lines of one network, from rows that are prepared for the first."""
    names = Names(network)
    if network.input_shape != model.network.input_shape:
        yield f"h = h.reshape(len(h), {_sides(network.input_shape)})"
    if network.dtype != model.network.dtype:
        yield "h = " + language.cast.format(dtype=network.dtype.name)
    for layer in network.layers:
        yield from layer_lines(names, layer, language.name)


def _helpers(language: Language, body: list[str]) -> Iterator[str]:
    """The helpers that the body calls, and those that these call."""
    needed = "\n".join(body)
    for name in reversed(list(language.helpers)):  # helpers come before those that call them
        if f"{name}(" in needed:
            needed += language.helpers[name]
    return (source for source in language.helpers.values() if source in needed)


def _meaning(model: Model, language: Language) -> Iterator[str]:
    if not isinstance(model.task, Classification):
        body = [f"h = outputs(x){language.as_double}"]
        if model.preprocessing.target is not None:
            body.append('h = h * W["target.scale"] + W["target.shift"]')
        single = model.network.output_shape[0] == 1
        result = language.numbers.format(h="h[:, 0]" if single else "h")
        says = "Values in the target's own units, (rows,)."
        yield _function("predict", says, [f"return {result}"], body)
        if _covers(model):
            yield from _intervals(model, single=single)
        return
    columns, first = language.two_columns if model.task.outputs == 1 else "h", "outputs(x)"
    yield f"CLASSES = np.array({model.classes.tolist()!r})"
    if model.task.probabilistic:
        result = f"return {language.numbers.format(h=columns)}"
        says = "The probability of each of CLASSES, (rows, classes)"
        if model.calibrating:
            yield _function("own_proba", f"{says}, uncalibrated.", [result], [f"h = {first}"])
            yield from _calibrating(model.calibrating)
            language, columns, result, first = NUMPY, "h", "return h", "calibrated(own_proba(x))"
        yield _function("predict_proba", f"{says}.", [result], [f"h = {first}"])
        if model.calibrating and model.decision and not model.decision.calibrated:
            first = "own_proba(x)"
    if model.decision is None:
        says, body = "Classes, (rows,).", []
        number = language.argmax if columns == "h" else language.above_half
    else:
        positive, threshold = model.decision.positive, model.decision.threshold
        yield f"POSITIVE, THRESHOLD = {positive}, {threshold!r}"
        says = "Classes, (rows,): CLASSES[POSITIVE] where its probability is at least THRESHOLD."
        body, number = [f"h = {columns}"] * (columns != "h"), language.at_least
    result = f"return CLASSES[{language.numbers.format(h=number)}]"
    yield _function("predict", says, [result], [f"h = {first}", *body])
    if _covers(model):
        says = "Whether each of CLASSES is in the set of a row, for this share of rows to be right."
        own = "own_proba" if model.calibrating else "predict_proba"
        found = f"likelier(np.asarray({own}(x))) <= limits(coverage)"
        yield _function("sets", says, [f"return {found}"], [], "x, coverage")


def _calibrating(found: Calibration) -> Iterator[str]:
    """The function `calibrated`, which does what `Calibration.apply` does."""
    if found.method == "isotonic":
        yield constant("CALIBRATION", [*found.numbers])
        call = "monotone(h, CALIBRATION)"
    else:
        slope, shift = found.line
        call = f"by_line(h, {slope!r}, np.array({shift.tolist()!r}))"
    says = f"Probabilities as {found.rows} rows held out from training bear them out."
    yield _function("calibrated", says, [f"return {call}"], [], "h")


def _intervals(model: Model, *, single: bool) -> Iterator[str]:
    """The function `intervals`, which does what `Coverage.interval` does."""
    assert model.errors is not None
    body, number = ["half, h = limits(coverage), outputs(x)"], len(model.networks)
    if model.errors.scale:
        body = [
            "half, found = limits(coverage), each(x)",
            f"h = sum(found) / {number}",
            'exact = np.stack([np.asarray(part, "f8") for part in found])',
            f"half = half * scales(SCALE, np.var(exact, axis=0, ddof=1), {number})",
        ]
    body += ['h = np.asarray(h, "f8")', "low, high = h - half, h + half"]
    if model.preprocessing.target is not None:
        body.append('scale, shift = np.asarray(W["target.scale"]), np.asarray(W["target.shift"])')
        body.append("low, high = low * scale + shift, high * scale + shift")
    says = "The ends low and high between which this share of values lies, each as of predict."
    result = "low[:, 0], high[:, 0]" if single else "low, high"
    yield _function("intervals", says, [f"return {result}"], body, "x, coverage")


def _loading(model: Model, language: Language) -> Iterator[str]:
    yield "def array(size, shape, text):"
    yield '    """Numbers of that many bytes from base64."""'
    yield "    content = base64.b64decode(text)"
    yield from (f"    {text}" for text in language.array)
    yield ""
    yield ""
    yield "W = {"
    for name, values in _arrays(model).items():
        little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        text = base64.b64encode(little.tobytes()).decode()
        yield f"    {json.dumps(name)}: array({values.dtype.itemsize}, {values.shape}, ("
        for start in range(0, len(text), _WIDTH - 10):
            yield f'        "{text[start : start + _WIDTH - 10]}"'
        yield "    )),"
    yield "}"


def _arrays(model: Model) -> dict[str, Array]:
    """The weights, and the fitted arrays of preprocessing."""
    scalings = {f"features.{i}": step for i, step in enumerate(model.preprocessing.steps)}
    if model.preprocessing.target is not None:
        scalings["target"] = model.preprocessing.target
    fitted = {
        f"{name}.{key}": np.asarray(value, np.float64)
        for name, step in scalings.items()
        for key, value in step.state().items()
        if isinstance(value, list | np.ndarray) and len(value)
    }
    errors = _errors(model.errors, model) if model.errors is not None and _covers(model) else []
    for number, (scores, stands, _) in enumerate(errors):
        fitted[f"errors.{number}.scores"] = scores
        if (stands != 1).any():
            fitted[f"errors.{number}.stands"] = stands.astype(np.float64)
    return {**fitted, **weights_of_model(model)}
