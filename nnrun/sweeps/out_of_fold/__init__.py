"""Out-of-fold predictions: each row by the runs that tested it and were not trained on it."""
