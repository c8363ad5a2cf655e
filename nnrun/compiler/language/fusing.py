"""Products that are added: a * b + c is rounded once, on every processor alike.

LLVM's own fusing depends on the processor. For the same bits everywhere, `fuse` rewrites every sum
and difference with a product in the source; of two products, it takes the left one. No fast-math
flag is set.
"""

from __future__ import annotations

import ast
from typing import TypeGuard

# Their arguments are integers; so are subscripts.
_OF_INTEGERS = ("range", "view")


def fuse(tree: ast.AST) -> None:
    """Write all sums of products in a module as calls of `fma`, those of integers too."""
    _Fusing().visit(tree)
    ast.fix_missing_locations(tree)


class _Fusing(ast.NodeTransformer):
    """a b + c and c + a b become fma(a, b, c); a b - c and c - a b too, with a minus."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        return _fused(node.op, node.left, node.right) or node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        self.generic_visit(node)
        if not _is_product(node.value):
            return node
        # What stands there is a place for a number, never itself a product.
        there = ast.parse(ast.unparse(node.target), mode="eval").body
        value = _fused(node.op, there, node.value)
        return node if value is None else ast.copy_location(ast.Assign([node.target], value), node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if not (isinstance(node.func, ast.Name) and node.func.id.startswith(_OF_INTEGERS)):
            self.generic_visit(node)
        return node


def _fused(sign: ast.operator, left: ast.expr, right: ast.expr) -> ast.expr | None:
    """The call of `fma` for left ± right, if one of them is a product."""
    minus = isinstance(sign, ast.Sub)
    if not (minus or isinstance(sign, ast.Add)):
        return None
    if _is_product(left):
        return _call(left.left, left.right, _negative(right) if minus else right)
    if _is_product(right):
        return _call(_negative(right.left) if minus else right.left, right.right, left)
    return None


def _is_product(node: ast.expr) -> TypeGuard[ast.BinOp]:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)


def _negative(node: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.USub(), node)


def _call(*arguments: ast.expr) -> ast.expr:
    return ast.Call(ast.Name("fma", ast.Load()), list(arguments), [])
