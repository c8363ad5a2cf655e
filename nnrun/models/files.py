"""What a trained model is called on disk."""

from __future__ import annotations

MODEL = "model.safetensors"
