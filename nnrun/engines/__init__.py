"""Engines carry out the updates of training; the NumPy engine is the reference."""


# The compiled engine: a function for one network, or kernels for all networks, by `choice`.
#
# `generated` writes the source of a function for one network, for single rows and small networks;
# `tape` lists calls of `kernels` for larger ones. Both take their mathematics from `formulas`, and
# are written in the language of `nnrun.compiler`.


# Mathematics of one number at a time, for kernels and for generated functions alike.
#
# Elementary functions are plain functions in the language. Activations, losses and optimizers are
# text that calls them; text needs no LLVM.


# Kernels of images: convolution, pooling and batch normalisation.
#
# Pooling by 2×2 without loops over the window makes an update of W7 1.13 times as fast.


# Kernels of matrix products, dense or skipping zeros.
#
# Skipping zeros makes an update of W11 1.24 times as fast, and of W12 1.32 times
# (`tests/benchmarks/works.py`).


# Kernels of single numbers and rows: activations, losses, dropout, optimizers.


# NumPy's random streams in compiled code, and the loop that draws rows.
#
# If NumPy drew them, `nnrun train` would take 2.7 times as long for each update of W1, 1.34 times
# for W2, and a third more for short runs, whose evaluations are made in the same call.


# Functions of sizes alone: layouts of arrays, tasks, scratch memory, the choice of kernels.
