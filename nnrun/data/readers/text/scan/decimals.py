"""Decimal numbers as the float64 nearest to them.

w 10^q is w 5^q 2^q. With 5^q to 64 bits, the upper half of its product with w shows the 53 bits of
the result, and how to round, unless it is too near to the middle between two numbers. After D.
Lemire, Softw. Pract. Exper. 51 (2021), whose second step for such cases is left to Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnrun.compiler.language.numbers import from_bits
from nnrun.data.readers.text.scan.words import (
    byte,
    leading_zeros,
    shifted,
    upper_product,
    with_digit,
)

LEAST, LARGEST = -330, 300
"""The exponents of ten that `powers` has."""
_MOST_DIGITS = 19  # below 2^64
_LARGEST_EXPONENT = 2045  # of a float64, with one more for a carry


def powers() -> npt.NDArray[np.int64]:
    """For each exponent q the 64 bits of 5^q, and the part of the result's exponent due to it."""
    table = []
    for q in range(LEAST, LARGEST + 1):
        if q >= 0:
            shift = 64 - (5**q).bit_length()
            word = 5**q << shift if shift >= 0 else 5**q >> -shift
        else:
            shift = 63 + (5**-q).bit_length()
            word = (1 << shift) // 5**-q
        table.append((word - (1 << 64), 1149 + q - shift))
    return np.array(table, dtype=np.int64)


def read_number(at: Any, point: Any, powers: Any) -> Any:
    """The number at an address: where it ends, its value, and whether that is certain."""
    sign = byte(at)
    negative = sign == 45
    if negative or sign == 43:
        at += 1
    first, word = at, 0
    digit = byte(at) - 48
    while 0 <= digit <= 9:
        word = with_digit(word, digit)
        at += 1
        digit = byte(at) - 48
    digits, exponent = at - first, 0
    if digit == point - 48:
        at += 1
        behind = at
        digit = byte(at) - 48
        while 0 <= digit <= 9:
            word = with_digit(word, digit)
            at += 1
            digit = byte(at) - 48
        exponent = behind - at
        digits -= exponent
    certain = digits > 0
    if digits > _MOST_DIGITS:
        certain = significant(first, at, digits) <= _MOST_DIGITS
    if digit == 53 or digit == 21:  # e and E
        at += 1
        at, power, whole = read_exponent(at)
        exponent += power
        certain = certain and whole
    value, sure = nearest(word, exponent, powers)
    return at, -value if negative else value, certain and sure


def significant(first: Any, end: Any, digits: Any) -> Any:
    """The number of digits from the first that is not 0 on."""
    at = first
    while (at < end) and (byte(at) == 48 or byte(at) < 48):
        digits -= 1 if byte(at) == 48 else 0
        at += 1
    return digits


def read_exponent(at: Any) -> Any:
    """The exponent at an address: where it ends, its value, and whether there is one."""
    sign = byte(at)
    if sign == 45 or sign == 43:
        at += 1
    first, power = at, 0
    digit = byte(at) - 48
    while 0 <= digit <= 9:
        power = min(10 * power + digit, 9999)
        at += 1
        digit = byte(at) - 48
    return at, -power if sign == 45 else power, at > first


def nearest(word: Any, exponent: Any, powers: Any) -> Any:
    """word 10^exponent as a float64, and whether that is the nearest one."""
    inside = LEAST <= exponent <= LARGEST
    index = 2 * ((exponent if inside else 0) - LEAST)
    zero = word == 0
    zeros = leading_zeros(1 if zero else word)
    # The true product is less than 2 larger than this.
    product = upper_product(word << zeros, powers[index])
    top = shifted(product, 63)
    rest, half = product & ((1 << (top + 10)) - 1), 1 << (top + 9)
    up = 1 if rest > half else 0
    scale = powers[index + 1] + top - zeros
    mantissa = shifted(product, top + 10) + up
    sure = (inside and 0 < scale <= _LARGEST_EXPONENT) and (rest < half - 1 or rest > half)
    value = from_bits(mantissa + ((scale - 1) << 52))
    return from_bits(word & 0) if zero else value, sure or zero
