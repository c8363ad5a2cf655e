"""Kernels of matrix products, dense or skipping zeros."""
