"""`python -m tests.benchmarks.startup`: where the CPU time of short commands goes.

With `--against CHECKOUT`, the same of another checkout, in turn. Times are CPU seconds of whole
processes, medians of some rounds after a first one that compiles all that is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from tests.benchmarks.folders import in_temporary_folder
from tests.benchmarks.tables import grid

HERE = Path(__file__).parents[2]
STOPWATCH = Path(__file__).with_name("stopwatch.py")
TRAIN = ["train", str(HERE / "configs/iris_softmax.yaml")]
COMMANDS = {
    "`nnrun --help`": ["--help"],
    "`nnrun ls`": ["ls", "--results", "kept"],
    "`nnrun show latest`": ["show", "latest", "--results", "kept"],
    "`nnrun check configs/iris_softmax.yaml`": ["check", TRAIN[1]],
    "`nnrun predict latest rows.csv`": ["predict", "latest", "rows.csv", "--results", "kept"],
    "`nnrun train configs/iris_softmax.yaml`": TRAIN,
}
PEERS = (
    "pass",
    "import nnrun",
    "import numpy",
    "import pydantic, click, rich",
    "import sklearn.linear_model",
    "import torch",
)
ROWS = """\
sepal length (cm),sepal width (cm),petal length (cm),petal width (cm)
5.1,3.5,1.4,0.2
"""


def seconds(command: Sequence[str]) -> float:
    """The CPU seconds of a process."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env={key: text for key, text in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
    )  # fmt: skip
    assert process.stderr is not None
    said = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: {said}")
    return usage.ru_utime + usage.ru_stime


def nnrun(checkout: Path, words: Sequence[str]) -> list[str]:
    program = "import sys; sys.path[0] = sys.argv.pop(1); from nnrun.__main__ import main; main()"
    return [sys.executable, "-c", program, str(checkout), *words]


def of_commands(checkouts: Sequence[Path], rounds: int) -> str:
    """A Markdown table of whole commands, and of what they may be compared with."""
    found: dict[tuple[str, Path], list[float]] = defaultdict(list)
    for turn in range(rounds + 1):
        for name, words in COMMANDS.items():
            for number, checkout in enumerate(checkouts):
                new = ["--results", f"new{turn}.{number}"] if words is TRAIN else []
                found[name, checkout].append(seconds(nnrun(checkout, [*words, *new])))
        for peer in PEERS:
            program = f"import sys; sys.path[0] = {str(HERE)!r}; {peer}"
            found[f"`python -c '{peer}'`", HERE].append(seconds([sys.executable, "-c", program]))
    rows = []
    for name in dict.fromkeys(name for name, _ in found):
        words = COMMANDS.get(name)
        counts = ["" if words is None else str(modules(each, words)) for each in checkouts]
        times = [milliseconds(found.get((name, each), [])[1:]) for each in checkouts]
        rows.append([name, *counts, *times])
    return "\n".join(grid(["", *titles("modules", checkouts), *titles("ms", checkouts)], rows))


def of_parts(checkouts: Sequence[Path], rounds: int) -> str:
    """A Markdown table of the parts of a short training run."""
    found: dict[tuple[str, Path], list[float]] = defaultdict(list)
    for turn in range(rounds + 1):
        for number, checkout in enumerate(checkouts):
            new = ["--results", f"parts{turn}.{number}"]
            words = ["taken.json", str(checkout), *TRAIN, *new]
            whole = seconds([sys.executable, str(STOPWATCH), *words])
            taken = json.loads(Path("taken.json").read_text(encoding="utf-8"))["taken"]
            taken["the end of Python"] = whole - sum(taken.values())
            for label, value in (*taken.items(), ("all", sum(taken.values()))):
                found[label, checkout].append(value)
    labels = dict.fromkeys(label for label, _ in found)
    rows = [
        [label, *(milliseconds(found.get((label, checkout), [])[1:]) for checkout in checkouts)]
        for label in sorted(
            labels, key=lambda label: -median(found.get((label, checkouts[-1]), [0]))
        )
    ]
    return "\n".join(grid(["", *titles("ms", checkouts)], rows))


def modules(checkout: Path, words: Sequence[str]) -> int:
    """How many modules a command imports."""
    again = ["--force", "--results", "counted"] if words is TRAIN else []
    seconds([sys.executable, str(STOPWATCH), "taken.json", str(checkout), *words, *again])
    return int(json.loads(Path("taken.json").read_text(encoding="utf-8"))["modules"])


def titles(unit: str, checkouts: Sequence[Path]) -> list[str]:
    return [*(f"{unit}, {path.name}" for path in checkouts[:-1]), unit]


def milliseconds(values: Sequence[float]) -> str:
    return f"{1000 * median(values):.0f}" if values else ""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.startup")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--against", type=Path, action="append", default=[])
    arguments = parser.parse_args()
    checkouts = [*(path.resolve() for path in arguments.against), HERE]
    with in_temporary_folder():
        Path("rows.csv").write_text(ROWS, encoding="utf-8")
        seconds(nnrun(HERE, [*TRAIN, "--results", "kept"]))
        print(of_commands(checkouts, arguments.rounds), flush=True)
        print("\n" + of_parts(checkouts, arguments.rounds), flush=True)


if __name__ == "__main__":
    main()
