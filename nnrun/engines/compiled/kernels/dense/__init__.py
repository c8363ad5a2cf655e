"""Kernels of matrix products, dense or skipping zeros.

In W11 (`tests/benchmarks/works.py`) skipping zeros makes an update 1.26 times as fast, and fetching
weights ahead 1.13 times.
"""
