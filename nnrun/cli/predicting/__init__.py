"""What `nnrun predict` does: predictions for new rows or out of fold, and where they go."""
