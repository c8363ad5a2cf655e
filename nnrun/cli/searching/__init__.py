"""What `nnrun search` does, piece by piece: its progress, the training of its runs, its results."""
