"""Models as scripts that need NumPy or PyTorch and nothing of nnrun."""
