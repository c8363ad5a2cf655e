"""Mathematics of one number at a time, for kernels and for generated functions alike.

Elementary functions are functions of the language: arithmetic, selections, constant tuples, each
other, and the bits of numbers. Activations and the penalty are text in which these are called.
Nothing is imported here, since the language needs LLVM and the formulas of activations do not.
"""
