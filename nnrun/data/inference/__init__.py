"""New rows for a trained network, read and encoded as the training data were."""
