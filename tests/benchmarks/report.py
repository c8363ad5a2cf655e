"""`python -m tests.benchmarks.report`: all tables of speeds, in a quarter of an hour.

One part after the other, each in a process of its own, since threads and imports of one would
change the others. They replace those of `nnrun/docs/benchmarks.md`, between two marks, and four of
their rows those of the README.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.tables import machine, short_table
from tests.benchmarks.works import WORKS

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGE = ROOT / "nnrun" / "docs" / "benchmarks.md"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
_PER_SAMPLE = ",".join(name for name, work in WORKS.items() if work.batch_size == 1)
_IN_MINIBATCHES = ",".join(name for name, work in WORKS.items() if work.batch_size > 1)
_SHORT = ["--rounds", "5", "--seconds", "0.1"]
_PYTORCH = "pytorch,pytorch_channels_last"
PARTS = {
    "per sample": ["--only", _PER_SAMPLE, *_SHORT],
    "in minibatches": ["--only", _IN_MINIBATCHES, *_SHORT],
    "threads": ["--only", _IN_MINIBATCHES, "--threads", "2", "--peers", _PYTORCH, *_SHORT],
    "slopes": ["--only", "slopes"],
    "compiling": ["--only", "compiling"],
    "processes": ["--only", "S1,S2,S3"],
    "folders": ["--only", "S4,S5,S6,S7"],
}


def measured(name: str, folder: Path) -> str:
    """The tables of one part, unless they are in the folder already."""
    place = folder / f"{name}.md"
    if not place.exists():
        command = [sys.executable, "-m", "tests.benchmarks", *PARTS[name], "-o", str(place)]
        subprocess.run(command, check=True)
    return place.read_text(encoding="utf-8")


def put_between_marks(page: str, tables: str) -> str:
    """A page with other tables.

    Raises:
        ValueError: it has no such marks.
    """
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not after:
        raise ValueError(f"there is no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{tables.strip()}\n\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.report", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=PAGE, help="a page with the marks")
    parser.add_argument("--short", type=Path, default=README, help="one for four rows of them")
    parser.add_argument(
        "--parts", type=Path, help="keep each part in this folder; what is there is not measured"
    )
    arguments = parser.parse_args()
    start = time.monotonic()
    texts = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.parts or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in PARTS:
            texts.append(measured(name, folder))
            print(f"-- {name}: {(time.monotonic() - start) / 60:.1f} minutes so far", flush=True)
    tables = "\n".join([*texts, machine()])
    for path, content in (
        (arguments.output, tables),
        (arguments.short, short_table(tables, machine())),
    ):
        page = path.read_text(encoding="utf-8")
        path.write_text(put_between_marks(page, content), encoding="utf-8")


if __name__ == "__main__":
    main()
