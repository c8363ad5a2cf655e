# mypy: disallow-untyped-decorators=False
"""What generated source needs from below Numba: arrays at an address, the bits of a number."""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba import extending
from numba.core import cgutils as untyped_cgutils
from numba.np import arrayobj as untyped_arrayobj

# Numba's annotations, where it has any, describe the arguments after compilation.
types: Any = numba.types
intrinsic: Any = extending.intrinsic
cgutils: Any = untyped_cgutils
arrayobj: Any = untyped_arrayobj


@intrinsic
def view(typing_context: Any, pointer: Any, offset: Any, shape: Any) -> Any:
    """The array of this shape that starts at pointer + offset.

    Unlike a slice it counts no references and checks nothing, so that with a constant shape
    nothing of it is left in the machine code.
    """
    array_type = types.Array(pointer.dtype, len(shape), "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        base, start, sides = arguments
        data = builder.gep(base, [start], inbounds=True)
        dimensions = cgutils.unpack_tuple(builder, sides)
        size = context.get_abi_sizeof(context.get_data_type(pointer.dtype))
        stride = itemsize = context.get_constant(types.intp, size)
        strides: list[Any] = []
        for side in reversed(dimensions):
            strides.insert(0, stride)
            stride = builder.mul(stride, side)
        array = arrayobj.make_array(array_type)(context, builder)
        arrayobj.populate_array(
            array, data=data, shape=dimensions, strides=strides, itemsize=itemsize, meminfo=None
        )
        return array._getvalue()

    return array_type(pointer, offset, shape), generate


@intrinsic
def no_aliases(typing_context: Any) -> Any:
    """Promise that the pointers which the function was called with lead to separate memory.

    Without the promise every loop is guarded by a check, or not vectorised at all.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for argument in builder.function.args:
            if isinstance(argument.type, ir.PointerType):
                argument.add_attribute("noalias")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def bits(typing_context: Any, number: Any) -> Any:
    """The bits of a floating-point number, as an integer of its size."""
    integer = types.int64 if number == types.float64 else types.int32

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(integer))

    return integer(number), generate


@intrinsic
def from_bits(typing_context: Any, integer: Any) -> Any:
    """The floating-point number that has these bits."""
    number = types.float64 if integer == types.int64 else types.float32

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(number))

    return number(integer), generate
