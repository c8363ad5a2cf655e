"""Trained networks with their fitted preprocessing, for use: no training code is needed here."""

from __future__ import annotations

# The file name of a trained model.

MODEL = "model.safetensors"
