"""Shells that evaluate the lines of the pages, and complete what is typed."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.docs.examples import PLACES, read
from tests.waiting import PATIENCE_SECONDS, printed

SETTINGS = {
    shell: sorted({*re.findall(rf"`([^`\n]*_NNRUN_COMPLETE={shell}_source[^`\n]*)`", text)})
    for text in ["\n".join(map(read, PLACES.values()))]
    for shell in ("bash", "zsh", "fish")
}
"""The lines for each shell that the pages show."""
COMPLETED = {
    "nnrun tra": "nnrun train",
    "nnrun train --iter": "nnrun train --iterations",
    "nnrun sweep --order": "nnrun sweep --order-by",
    "nnrun train fir": "nnrun train first.yaml",
    "nnrun check fir": "nnrun check first.yaml",
    "nnrun search --sampler cm": "nnrun search --sampler cma_es",
    "nnrun show ca": "nnrun show cars",
    "nnrun explain ca": "nnrun explain cars",
    "nnrun predict cars/s00003": "nnrun predict cars/s00003-0123456789",
}
"""What is typed, and what the line is after a tab."""
_INTERACTIVE = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}
_BEFORE = {"bash": "", "zsh": "autoload -U compinit && compinit -D"}
_TO_START, _TO_END = "\x01", "\x05"


def write_files(folder: Path) -> None:
    """Put what COMPLETED completes into a folder."""
    (folder / "first.yaml").touch()
    (folder / "results/cars/s00003-0123456789").mkdir(parents=True)


def lines_after_tabs(shell: str, line: str, folder: Path) -> list[str]:
    """What an interactive shell with this line in its settings makes of what is typed."""
    typed = [f"{words}\t{_TO_START}echo {_TO_END} >>lines.txt" for words in COMPLETED]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        _INTERACTIVE[shell],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=environment(folder),
        start_new_session=True,
    )
    try:
        for number, words in enumerate([_BEFORE[shell], line, *typed]):
            # The mark is typed with quotes within, so that only `echo` prints it.
            os.write(ours, f"{words}\necho do''ne {number}\n".encode())
            printed(ours, f"done {number}")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ours)
        os.close(theirs)
    return (folder / "lines.txt").read_text().splitlines()


def proposals_of_fish(line: str, folder: Path) -> list[str]:
    """What fish proposes first for what is typed, in place of its last word."""
    asked = [f"complete -C '{words}' | head -n 1" for words in COMPLETED]
    done = subprocess.run(
        ["fish", "--no-config"],
        input="\n".join([line, *asked]),
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    return [proposal.partition("\t")[0] for proposal in done.stdout.splitlines()]


def environment(folder: Path) -> dict[str, str]:
    """Variables for a shell of somebody without settings, which knows this nnrun."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    more = {"PATH": path, "HOME": str(folder), "TERM": "dumb", "PS1": "$ "}
    return {k: v for k, v in os.environ.items() if k != "NNRUN_RESULTS"} | more
