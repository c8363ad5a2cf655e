"""Formulas of elementary functions, as text that is read once and written in several languages.

A formula has numbers, its variables, + - * /, comparisons, `a if c else b`, and calls of the
functions below. A power is a product: `x * x`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from nnrun.nn.signature import Array
from nnrun.nn.special import sigmoid

# Each function of one number in NumPy, in PyTorch and as an operator of ONNX.
FUNCTIONS: Mapping[str, tuple[str, str, str]] = {
    "exp": ("np.exp", "torch.exp", "Exp"),
    "log": ("np.log", "torch.log", "Log"),
    "tanh": ("np.tanh", "torch.tanh", "Tanh"),
    "sigmoid": ("sigmoid", "torch.sigmoid", "Sigmoid"),
    "softplus": ("softplus", "F.softplus", "Softplus"),
    "sqrt": ("np.sqrt", "torch.sqrt", "Sqrt"),
    "abs": ("np.abs", "torch.abs", "Abs"),
}
_OPERATORS: Mapping[type[ast.AST], tuple[str, str]] = {
    ast.Add: ("+", "Add"),
    ast.Sub: ("-", "Sub"),
    ast.Mult: ("*", "Mul"),
    ast.Div: ("/", "Div"),
    ast.Lt: ("<", "Less"),
    ast.Gt: (">", "Greater"),
    ast.LtE: ("<=", "LessOrEqual"),
    ast.GtE: (">=", "GreaterOrEqual"),
}
_BUILT_IN = ("abs", "sqrt")  # of the compiled language


class FormulaError(ValueError):
    """A text is no formula."""


class Expression:
    """A formula of some variables.

    Args:
        text: of the formula.
        names: of its variables.

    Raises:
        FormulaError: the text has something else.
    """

    def __init__(self, text: str, names: tuple[str, ...]) -> None:
        self.text = text
        self.names = names
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
        except SyntaxError as error:
            raise FormulaError(f"'{text}' is no formula: {error.msg}") from None
        self._check(self._tree)

    def _check(self, node: ast.AST) -> None:
        known = ", ".join([*FUNCTIONS, "min", "max"])
        match node:
            case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
                return
            case ast.Name(id=name):
                if name not in self.names:
                    variables = " and ".join(self.names)
                    raise FormulaError(f"'{self.text}' has '{name}'; its variables are {variables}")
                return
            case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]):
                wanted = 2 if name in ("min", "max") else 1 if name in FUNCTIONS else 0
                if len(parts) != wanted:
                    raise FormulaError(f"'{self.text}' calls '{name}'; there are {known}")
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                parts = [left, right]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                parts = [operand]
            case ast.IfExp(
                test=ast.Compare(left=left, ops=[op], comparators=[right]), body=yes, orelse=no
            ) if type(op) in _OPERATORS:
                parts = [left, right, yes, no]
            case _:
                power = "; write a power as a product" * isinstance(node, ast.BinOp)
                raise FormulaError(f"'{self.text}' has '{ast.unparse(node)}'{power}")
        for part in parts:
            self._check(part)

    @property
    def functions(self) -> tuple[str, ...]:
        """Functions that compiled code has to bring along."""
        calls = (node for node in ast.walk(self._tree) if isinstance(node, ast.Call))
        called = {node.func.id for node in calls if isinstance(node.func, ast.Name)}
        return tuple(sorted(called & set(FUNCTIONS) - set(_BUILT_IN)))

    @cached_property
    def numpy(self) -> Callable[..., Array]:
        """The function of arrays, which keeps their dtype."""
        source = f"lambda {', '.join(self.names)}: {self.written(0)}"
        found: Callable[..., Array] = eval(source, {"np": np, **_HELPERS})  # of checked parts
        return found

    def written(self, language: int, **names: str) -> str:
        """Source in NumPy (0) or PyTorch (1), with these names for the variables."""
        return _written(self._tree, language, names)

    def compiled(self) -> str:
        """Source in the compiled language, with variables as places to be filled in: `{x}`."""
        return _compiled(self._tree)

    def onnx(self, graph: Any, **names: str) -> str:
        """Append its operators to a graph, and return the name of the result."""
        return _Onnx(graph, names).add(self._tree)


def _written(node: Any, language: int, names: Mapping[str, str]) -> str:
    def inner(part: Any) -> str:
        return _written(part, language, names)

    where = ("np.where", "torch.where")[language]
    match node:
        case ast.Constant():
            text = repr(node.value)
        case ast.Name():
            text = names.get(node.id, node.id)
        case ast.UnaryOp():
            text = f"(-{inner(node.operand)})"
        case ast.BinOp():
            text = f"({inner(node.left)} {_OPERATORS[type(node.op)][0]} {inner(node.right)})"
        case ast.IfExp(test=ast.Compare(left=left, ops=[op], comparators=[right])):
            test = f"{inner(left)} {_OPERATORS[type(op)][0]} {inner(right)}"
            text = f"{where}({test}, {inner(node.body)}, {inner(node.orelse)})"
        case ast.Call(func=ast.Name(id=name), args=[a, b]):
            sign = "<" if name == "min" else ">"
            text = f"{where}({inner(a)} {sign} {inner(b)}, {inner(a)}, {inner(b)})"
        case _:
            text = f"{FUNCTIONS[node.func.id][language]}({inner(node.args[0])})"
    return text


def _compiled(node: Any) -> str:
    match node:
        case ast.Constant(value=int() | float() as value):
            return f"real({float(value)!r})"
        case ast.Name():
            return f"{{{node.id}}}"
        case ast.UnaryOp():
            return f"(-{_compiled(node.operand)})"
        case ast.BinOp():
            sign = _OPERATORS[type(node.op)][0]
            return f"({_compiled(node.left)} {sign} {_compiled(node.right)})"
        case ast.IfExp(test=ast.Compare(left=left, ops=[op], comparators=[right])):
            test = f"{_compiled(left)} {_OPERATORS[type(op)][0]} {_compiled(right)}"
            return f"({_compiled(node.body)} if {test} else {_compiled(node.orelse)})"
        case _:
            return f"{node.func.id}({', '.join(map(_compiled, node.args))})"


class _Onnx:
    """Appends the operators of a formula to a graph."""

    def __init__(self, graph: Any, names: Mapping[str, str]) -> None:
        self.graph = graph
        self.names = names

    def add(self, node: Any) -> str:
        """The name of the result of this part."""
        add = self.graph.add
        match node:
            case ast.Constant(value=int() | float() as value):
                name: str = self.graph.weight(f"number.{float(value)!r}", np.array(float(value)))
            case ast.Name():
                name = self.names[node.id]
            case ast.UnaryOp():
                name = add("Neg", self.add(node.operand))
            case ast.BinOp():
                kind = _OPERATORS[type(node.op)][1]
                name = add(kind, self.add(node.left), self.add(node.right))
            case ast.IfExp(test=ast.Compare(left=left, ops=[op], comparators=[right])):
                test = add(_OPERATORS[type(op)][1], self.add(left), self.add(right))
                name = add("Where", test, self.add(node.body), self.add(node.orelse))
            case ast.Call(func=ast.Name(id="min" | "max" as kind), args=[a, b]):
                name = add(kind.capitalize(), self.add(a), self.add(b))
            case _:
                name = add(FUNCTIONS[node.func.id][2], self.add(node.args[0]))
        return name


def _sigmoid(x: Array) -> Array:
    y = np.empty_like(x)
    sigmoid(x, y)
    return y


def _softplus(x: Array) -> Array:
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


_HELPERS = {"sigmoid": _sigmoid, "softplus": _softplus}
