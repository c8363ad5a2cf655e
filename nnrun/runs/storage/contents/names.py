"""The names of a run's files."""

REPORT, CONFIG, HISTORY = "report.json", "config.yaml", "history.csv"
CHECKPOINT, STATE = "checkpoint.safetensors", "state.safetensors"
TRACEBACK = "traceback.txt"
WATCHED = "watched.safetensors"
