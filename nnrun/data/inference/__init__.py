"""New rows for a trained network, read and encoded like the training data."""
