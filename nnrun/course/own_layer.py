"""The exercise of the last lesson: a layer that is given without its gradients."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nnrun.course.files import OWN_LAYER
from nnrun.course.grading import Grade
from nnrun.course.variants import added, name_in
from nnrun.nn.signature import Shape
from nnrun.plugins.checker.check import check_file
from nnrun.plugins.checker.findings import Finding, PartReport, verdict
from nnrun.plugins.checker.subject import IMAGES, VECTORS, Subject, Trial, arguments, rows
from nnrun.plugins.part import PluginError

_NAME = "mylayer"
_INPUT, _GRADIENT, _BACKWARD = "gradient of x", "gradient of ", "backward"
_KEPT = frozenset({"formula", "others"})


def grade_layer(file: Path) -> Grade:
    """The grade of a file with a layer: a point for each of its two gradients.

    Raises:
        PluginError: the file cannot be loaded, or registers no layer.
    """
    layers = [report for report in check_file(file) if report.part.kind == "layer"]
    if not layers:
        raise PluginError(f"{file}: registers no layer")
    report = next((layer for layer in layers if layer.part.name == _NAME), layers[0])
    apart = [each for each in report.wrong if not each.check.startswith((_GRADIENT, _BACKWARD))]
    gradients = [each for each in report.findings if each.check.startswith(_GRADIENT)]
    of_x = [each for each in gradients if each.check == _INPUT]
    findings = [
        _formula(report, added(name_in(file))),
        _first_of(apart, "others", "no other check is failed"),
        _gradient(report, _INPUT, of_x),
        _gradient(report, "gradient of g", [each for each in gradients if each not in of_x]),
    ]
    return Grade(OWN_LAYER, str(file), findings, _KEPT)


def _formula(report: PartReport, a: float) -> Finding:
    """Whether it is the layer of the lesson, for random rows of every shape and random gains."""
    formula = f"y = g x / ({a:g} + |x|)"
    hint = f"Leave forward as it is: {formula}."
    try:
        trial = Trial(report.part, arguments(report.part.entry))
        right = all(_is_formula(trial.subject(shape), shape, a) for shape in (*VECTORS, *IMAGES))
    except (Exception, SystemExit):  # the code of a student; `others` says what is wrong
        right = False
    return verdict("formula", right, formula, f"it is not {formula}", hint)


def _is_formula(subject: Subject, shape: Shape, a: float) -> bool:
    x = 3 * rows(shape, seed=11, count=9)
    y = np.array(subject.forward(x.copy()))
    (gain,) = (parameter.value for parameter in subject.parameters.values())
    return y.shape == x.shape and np.allclose(y, gain * x / (a + np.abs(x)))


def _gradient(report: PartReport, name: str, checks: list[Finding]) -> Finding:
    """The verdict of a gradient; a mistake before it is why it is not reached."""
    reached = [each for each in checks if each.reached]
    wrong = [each for each in reached if not each.passed] if reached else report.wrong
    if not reached and not wrong:
        return Finding(name, False, "the layer has no parameter")
    return _first_of(wrong, name, "it agrees with differences")


def _first_of(wrong: list[Finding], name: str, right: str) -> Finding:
    if not wrong:
        return Finding(name, True, right)
    first = wrong[0]
    says = first.says if first.check == name else f"{first.check}: {first.says}"
    return Finding(name, False, says, first.detail)
