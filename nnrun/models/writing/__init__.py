"""Predictions as files, batch by batch, so that any number of them fits into memory."""
