"""The names of a run's files."""

from nnrun.models.files import MODEL

REPORT, CONFIG, HISTORY = "report.json", "config.yaml", "history.csv"
CHECKPOINT, STATE = "checkpoint.safetensors", "state.safetensors"
TRACEBACK = "traceback.txt"
WATCHED = "watched.safetensors"
MARKDOWN = "report.md"
OPTIONAL = {CHECKPOINT, MODEL, STATE, TRACEBACK, WATCHED}
"""Files that not every result has: without one, that of an earlier result is removed."""
