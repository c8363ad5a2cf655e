"""What generated source is compiled with: the only modules here that import Numba."""
