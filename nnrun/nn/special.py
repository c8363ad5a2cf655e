"""Special functions that NumPy lacks."""

from __future__ import annotations

from math import factorial, sqrt

import numpy as np

from nnrun.nn.signature import Array

# exp(z²) erfc(z) for z ≥ 0 as a Chebyshev series in u = (z - 3.75) / (z + 3.75), computed with 40
# digits and cut at 1e-18. The change of variable: Schonfelder, Math. Comp. 32 (1978).
CENTRE = 3.75
SCALED_ERFC = (
    0.3050715409616002,
    -0.4348412727125775,
    0.1763511936436055,
    -0.06071079560924941,
    0.017712068995694115,
    -0.004321119385567294,
    0.0008542166768870987,
    -0.00012715509060916275,
    1.1248167243671189e-05,
    3.1306388542182096e-07,
    -2.70988068537762e-07,
    3.073762270140769e-08,
    2.515620384817623e-09,
    -1.0289299213203192e-09,
    2.994405211994994e-11,
    2.6051789687266936e-11,
    -2.6348399241719693e-12,
    -6.434045098906365e-13,
    1.1245740180166345e-13,
    1.7281533389986097e-14,
    -4.264101694942375e-15,
    -5.453719778801906e-16,
    1.5869760776167123e-16,
    2.0899837844334044e-17,
    -5.900526869408806e-18,
)


def sigmoid(x: Array, y: Array) -> None:
    """Write 1 / (1 + exp(-x)) into y; -x is clipped where exp(-x) would overflow."""
    np.negative(x, out=y)
    np.minimum(y, largest_exponent(y), out=y)
    np.exp(y, out=y)
    y += 1
    np.reciprocal(y, out=y)


def largest_exponent(x: Array) -> float:
    """A number just below the largest whose exp is finite in x's dtype."""
    return 709.0 if x.dtype == np.float64 else 88.0


def normal_cdf(x: Array) -> Array:
    """Φ(x), the share of the standard normal distribution below x, to a few parts in 1e15.

    For x < 0 it is exp(-z²) / 2 times the series, with z = |x| / √2.
    """
    from numpy.polynomial.chebyshev import chebval  # noqa: PLC0415  # slow to import

    size = np.abs(x)
    with np.errstate(invalid="ignore", under="ignore", over="ignore"):
        z = size / sqrt(2)
        u = np.where(np.isinf(z), 1.0, (z - CENTRE) / (z + CENTRE))
        # Squaring x would round it, and exp would magnify that; c² is exact, the rest is small.
        c = np.where(size < 64, np.round(size * 16) / 16, 64.0)
        gauss = np.exp(-c * c / 2) * np.exp(-(size - c) * (size + c) / 2)
    tail = 0.5 * gauss * chebval(u, SCALED_ERFC)
    below: Array = np.where(x < 0, tail, 1 - tail)
    return below.astype(x.dtype, copy=False)


# The series of log((1 + s) / (1 - s)) / s - 2 in s², fitted to [0, 0.1716]: the coefficients, and
# the two parts of log 2, are those of `e_log.c` in fdlibm (Sun Microsystems, 1993).
LOG_ODD = (
    6.666666666666735130e-01,
    2.857142874366239149e-01,
    1.818357216161805012e-01,
    1.479819860511658591e-01,
)
LOG_EVEN = (3.999999999940941908e-01, 2.222219843214978396e-01, 1.531383769920937332e-01)
LOG_2 = (6.93147180369123816490e-01, 1.90821492927058770002e-10)
HALF_ROOT = 0.7071067811865476


def portable_log(x: Array) -> Array:
    """log x for positive float64 numbers, with an error below one unit in the last place.

    `np.log` rounds some numbers otherwise where the processor has other vector instructions. These
    are additions, multiplications and divisions, which are the same everywhere.
    """
    # x = 2ᵏ · (1 + f), with √½ ≤ 1 + f < √2
    mantissa, exponent = np.frexp(x)
    small = mantissa < HALF_ROOT
    f = np.where(small, 2 * mantissa, mantissa) - 1.0
    k = (exponent - small).astype(np.float64)
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd = z * (LOG_ODD[0] + w * (LOG_ODD[1] + w * (LOG_ODD[2] + w * LOG_ODD[3])))
    even = w * (LOG_EVEN[0] + w * (LOG_EVEN[1] + w * LOG_EVEN[2]))
    half = 0.5 * f * f
    rest = half - (s * (half + odd + even) + k * LOG_2[1])
    result: Array = k * LOG_2[0] - (rest - f)
    return result


def portable_exp(x: Array) -> Array:
    """exp x for float64 numbers up to 700, with the same bits on every processor."""
    # x = k log 2 + r, with |r| ≤ log 2 / 2, where the series ends below the last place
    k = np.rint(np.maximum(x, -745.0) / LOG_2[0])
    r = (x - k * LOG_2[0]) - k * LOG_2[1]
    series = np.full_like(r, 1 / factorial(13))
    for n in range(12, -1, -1):
        series = 1 / factorial(n) + series * r
    result: Array = np.ldexp(series, k.astype(np.intc))
    return np.where(x < -745.0, 0.0, result)


# Numerators and denominators of the normal quantile, the highest power first: in the middle, and
# further out. Wichura, algorithm AS 241, Applied Statistics 37 (1988).
MIDDLE = (
    (
        *(2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4),
        *(4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3),
        *(1.3314166789178437745e2, 3.3871328727963666080),
    ),
    (
        *(5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4),
        *(2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2),
        *(4.2313330701600911252e1, 1.0),
    ),
)
FAR_OUT = (
    (
        *(7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1),
        *(1.27045825245236838258, 3.64784832476320460504, 5.76949722146069140550),
        *(4.63033784615654529590, 1.42343711074968357734),
    ),
    (
        *(1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2),
        *(1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940),
        *(2.05319162663775882187, 1.0),
    ),
)


def normal_quantile(p: Array) -> Array:
    """The number with the share p of the standard normal distribution below it, to about 1e-15.

    p is from 1e-10 to 1 - 1e-10.
    """
    q = p - 0.5
    r = 0.180625 - q * q
    t = np.sqrt(-portable_log(np.minimum(p, 1 - p))) - 1.6
    middle = q * (np.polyval(MIDDLE[0], r) / np.polyval(MIDDLE[1], r))
    outside = np.sign(q) * (np.polyval(FAR_OUT[0], t) / np.polyval(FAR_OUT[1], t))
    found: Array = np.where(np.abs(q) <= 0.425, middle, outside)
    return found
