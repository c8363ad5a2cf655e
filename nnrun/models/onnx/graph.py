"""Building an ONNX graph: operators in sequence, with the arrays that they use."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from nnrun.nn.signature import Array

# The oldest versions with all operators, so that most runtimes can read the file.
OPSET, IR_VERSION = 13, 8
# The format's version that a newer operator set needs.
_IR_VERSIONS = {20: 9}


class Graph:
    """Collects operators (nodes) and constants, under unique names."""

    def __init__(self, opset: int = OPSET) -> None:
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    @property
    def ir_version(self) -> int:
        """The version of the file format for these operators."""
        return _IR_VERSIONS.get(self.opset, IR_VERSION)

    def constant(self, name: str, value: Any) -> str:
        """Store a constant array under this name, and return the name."""
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def add(
        self,
        operator: str,
        *inputs: str,
        output: str | None = None,
        title: str | None = None,
        **attributes: Any,
    ) -> str:
        """Append an operator and return the name of its output.

        `title` is its own name, which runtimes show in errors; by default that of its output.
        """
        name = output or f"{operator.lower()}_{len(self.nodes)}"
        node = helper.make_node(operator, inputs, [name], name=title or name, **attributes)
        self.nodes.append(node)
        return name

    def reduce(self, operator: str, x: str, axes: list[int]) -> str:
        """Append a reduction that keeps its axes; newer operator sets take the axes as an input."""
        if operator == "ReduceSum" or self.opset >= 18:
            named = self.constant(f"axes_{'_'.join(map(str, axes))}", np.array(axes, np.int64))
            return self.add(operator, x, named, keepdims=1)
        return self.add(operator, x, axes=axes, keepdims=1)

    def weight(self, name: str, value: Array) -> str:
        """Store a weight of the network, in float32, and return its name."""
        return self.constant(name, value.astype(np.float32))
