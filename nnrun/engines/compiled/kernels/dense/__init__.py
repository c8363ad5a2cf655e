"""Kernels of matrix products, of all numbers or of those that are not 0."""
