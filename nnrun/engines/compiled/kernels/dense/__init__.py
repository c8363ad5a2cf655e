"""Kernels of matrix products, dense or skipping zeros.

Skipping zeros makes W11 1.26 times as fast (`tests/benchmarks/works.py`), fetching weights ahead 1.13
times.
"""
