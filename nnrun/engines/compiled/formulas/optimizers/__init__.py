"""The optimizers' formulas, as source text: one source for generated functions and kernels.

{g} is the gradient of one parameter and {theta} the parameter; the other names are arrays of the
optimizer's state and its settings. Two things are not here, since their rounding differs between
functions and kernels: weight decay, which kernels add to the product of gradient and clipping, and
Adam's {root}, the corrected √v, which kernels divide for and functions multiply.
"""
