"""Mathematics of one number at a time, for kernels and for generated functions alike.

Elementary functions are plain functions in the language. Activations, losses and optimizers are
text that calls them; text needs no LLVM.
"""
