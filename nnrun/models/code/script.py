"""A model as a script: its layers line by line, and its weights at the end."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from textwrap import wrap

import numpy as np

from nnrun import __version__
from nnrun.characters import escaped
from nnrun.models.code import columns
from nnrun.models.code.language import NUMPY, TORCH, Language
from nnrun.models.code.layers import layer_lines
from nnrun.models.code.program import has_table, program_parts, usage
from nnrun.models.code.steps import step_lines
from nnrun.models.model import Model
from nnrun.models.task import Classification
from nnrun.models.weights import Names, weights_views
from nnrun.nn.signature import Array

LANGUAGES: dict[str, Language] = {"numpy": NUMPY, "pytorch": TORCH}
_WIDTH = 96


def script(model: Model, language: Language) -> str:
    """The source: functions `outputs`, `predict` and, with probabilities, `predict_proba`, of raw
    rows x as an array; their results are those of the model's methods, in the same dtype.

    Raises:
        UsageError: a layer or a step of preprocessing cannot be exported.
    """
    body = [*_preparation(model, language), *_network(model, language)]
    says = "What the network puts out for raw rows x, an array."
    parts = [
        *_helpers(language, body),
        _function("outputs", says, ["return h"], body),
        *_meaning(model, language),
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
    "math": ("sqrt",),
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


def _function(name: str, says: str, ending: list[str], body: list[str]) -> str:
    lines = [f"def {name}(x):", f'    """{says}"""', *(f"    {text}" for text in body)]
    return "\n".join([*lines, *(f"    {text}" for text in ending)])


def _preparation(model: Model, language: Language) -> Iterator[str]:
    yield f"h = {language.take}"
    yield f"h = h.reshape(len(h), {_sides(model.layout.shape)})"
    yield from columns.lines(model.layout.columns)
    for index, step in enumerate(model.preprocessing.steps):
        yield from step_lines(f"features.{index}", step, language.steps, language.name)
    yield "h = " + language.cast.format(dtype=model.network.dtype.name)
    if model.network.input_shape != model.layout.shape:
        yield f"h = h.reshape(len(h), {_sides(model.network.input_shape)})"


def _network(model: Model, language: Language) -> Iterator[str]:
    names = Names(model.network)
    for layer in model.network.layers:
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
        return
    columns = language.two_columns if model.task.outputs == 1 else "h"
    yield f"CLASSES = np.array({model.classes.tolist()!r})"
    if model.decision is None:
        says, body = "Classes, (rows,).", ["h = outputs(x)"]
        number = language.above_half if model.task.outputs == 1 else language.argmax
    else:
        positive, threshold = model.decision.positive, model.decision.threshold
        yield f"POSITIVE, THRESHOLD = {positive}, {threshold!r}"
        says = "Classes, (rows,): CLASSES[POSITIVE] where its probability is at least THRESHOLD."
        body = ["h = outputs(x)", *([f"h = {columns}"] if model.task.outputs == 1 else [])]
        number = language.at_least
    result = f"return CLASSES[{language.numbers.format(h=number)}]"
    yield _function("predict", says, [result], body)
    if model.task.probabilistic:
        result = f"return {language.numbers.format(h=columns)}"
        says = "The probability of each of CLASSES, (rows, classes)."
        yield _function("predict_proba", says, [result], ["h = outputs(x)"])


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
        if isinstance(value, list | np.ndarray)
    }
    return {**fitted, **weights_views(model.network)}
