"""Scripts in PyTorch."""

from __future__ import annotations

from nnrun.models.code.columns import CATEGORIES
from nnrun.models.code.language import Language
from nnrun.models.code.steps import STEPS

_HELPERS = {
    **CATEGORIES,
    "normalize": '''
def normalize(h):
    """Every row divided by its Euclidean length; rows of zeros stay."""
    rows = h.flatten(1)
    largest = rows.abs().amax(1, keepdim=True)
    rows = rows / torch.where(largest > 0, largest, 1)
    length = rows.square().sum(1, keepdim=True).sqrt()
    return (rows / torch.where(length > 0, length, 1)).reshape(h.shape)
''',
}


TORCH = Language(
    name="pytorch",
    imports=("import numpy as np", "import torch", "import torch.nn.functional as F"),
    helpers=_HELPERS,
    steps={name: each.pytorch for name, each in STEPS.items()},
    array=(
        "dtype = {4: torch.float32, 8: torch.float64}[size]",
        "return torch.frombuffer(bytearray(content), dtype=dtype).reshape(shape)",
    ),
    take='torch.as_tensor(x, dtype=torch.float64)',
    cast="h.to(torch.{dtype})",
    reshape="h.reshape(len(h), {shape})",
    as_double=".double()",
    inverse='h * W["target.scale"] + W["target.shift"]',
    argmax="h.argmax(1)",
    above_half="(h[:, 0] > 0.5).long()",
    at_least="torch.where(h[:, POSITIVE].double() >= THRESHOLD, POSITIVE, 1 - POSITIVE)",
    two_columns="torch.cat([1 - h, h], 1)",
    numbers="{h}.numpy()",
)  # fmt: skip
