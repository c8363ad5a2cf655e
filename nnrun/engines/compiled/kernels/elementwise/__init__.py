"""Kernels of single numbers and rows: activations, losses, dropout, optimizers."""
