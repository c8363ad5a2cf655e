"""What functions return: runs, boards, learning curves, predictions."""
