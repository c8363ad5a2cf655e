"""The checks of layers and activations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nnrun.nn.signature import Shape
from nnrun.plugins.checker import behaviour, samples
from nnrun.plugins.checker.findings import Failed, Finding
from nnrun.plugins.checker.gradients import check_gradients
from nnrun.plugins.checker.reference import compare_layer
from nnrun.plugins.checker.subject import Trial, accepts, calling
from nnrun.plugins.part import Part

_BEFORE = (
    behaviour.check_input,
    behaviour.check_parameters,
    behaviour.check_calls,
    behaviour.check_rows,
)
_AFTER = (behaviour.check_needs_dx, behaviour.check_float32)


def check_layer(part: Part) -> Iterator[Finding]:
    """All checks of a layer, on rows of each kind that it takes.

    Raises: Failed for a mistake after which the other checks are meaningless.
    """
    with calling("arguments"):
        trial = Trial(part, samples.arguments(part.entry))
    kind = getattr(part.entry, "input_kind", None)
    taken: list[Shape] = []
    for shape in samples.shapes(kind):
        with _beside_vectors(shape, taken):
            if accepts(trial.build(), shape):
                trial.subject(shape).forward(samples.rows(shape))
                taken.append(shape)
    if not taken:
        raise Failed("shapes", "it takes neither vectors nor images; see input_kind")
    first = [next(s for s in taken if len(s) == axes) for axes in {len(s): s for s in taken}]
    yield behaviour.check_shapes(trial, taken)
    yield Finding("forward", True, "it gives finite numbers")
    for check in _BEFORE:
        yield _first_wrong(check(trial, shape) for shape in first)
    if getattr(part.entry, "exact_gradient", True):
        yield from check_gradients(trial, first)
    else:
        yield Finding("gradient of x", True, "it is another on purpose: exact_gradient = False")
    for check in _AFTER:
        yield _first_wrong(check(trial, shape) for shape in first)
    yield from compare_layer(trial, first)


@contextmanager
def _beside_vectors(shape: Shape, taken: list[Shape]) -> Iterator[None]:
    """Say what to do about a layer that fails on images, and has taken vectors."""
    try:
        yield
    except Failed as error:
        if len(shape) == 1 or not any(len(other) == 1 for other in taken):
            raise
        found = error.finding
        says = f'of images, {found.says}; a layer for vectors alone has input_kind = "vectors"'
        raise Failed(found.check, says, found.detail) from error


def _first_wrong(findings: Iterator[Finding]) -> Finding:
    found = [*findings]
    return next((finding for finding in found if not finding.passed), found[0])
