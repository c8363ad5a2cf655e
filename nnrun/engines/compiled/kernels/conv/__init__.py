"""Kernels of images: convolution, pooling and batch normalisation."""
