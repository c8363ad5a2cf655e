"""`python -m tests.benchmarks.report`: all figures of the README, in less than ten minutes.

One part after the other, each in a process of its own, since threads and imports of one would
change the others; a part that fails says so in its place.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.works import WORKS

_PER_SAMPLE = ",".join(name for name, work in WORKS.items() if work.batch_size == 1)
_IN_MINIBATCHES = ",".join(name for name, work in WORKS.items() if work.batch_size > 1)
_SHORT = ["--rounds", "5", "--seconds", "0.2"]
_PYTORCH = "pytorch,pytorch_channels_last"
PARTS = [
    ["--only", f"{_PER_SAMPLE},{_IN_MINIBATCHES}", *_SHORT],
    ["--only", _IN_MINIBATCHES, "--threads", "2", "--peers", _PYTORCH, *_SHORT],
    ["--only", "compiling"],
    ["--only", "S1,S2,S3", "--rounds", "5"],
    ["--only", "S4", "--rounds", "5"],
]


def measured(words: list[str], place: Path) -> str:
    """What one part has written, or why it has not."""
    command = [sys.executable, "-m", "tests.benchmarks", *words, "-o", str(place)]
    if subprocess.run(command, check=False).returncode == 0:
        return place.read_text(encoding="utf-8")
    return f"(failed: `python -m tests.benchmarks {' '.join(words)}`)\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.report", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("speed.md"))
    output = parser.parse_args().output
    start = time.monotonic()
    texts = []
    with tempfile.TemporaryDirectory() as folder:
        for words in PARTS:
            texts.append(measured(words, Path(folder) / "part.md"))
            output.write_text("\n".join(texts), encoding="utf-8")
            print(f"-- {(time.monotonic() - start) / 60:.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
