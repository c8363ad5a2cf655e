"""Preprocessing: fitted on the training split and stored with the weights."""
