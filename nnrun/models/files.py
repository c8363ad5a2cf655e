"""The file name of a trained model."""

from __future__ import annotations

MODEL = "model.safetensors"
