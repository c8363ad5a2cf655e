"""Completion by bash, and what any shell is answered; `check_shells.py` has the others."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nnrun.cli import COMMANDS
from tests.docs.examples import PLACES, read
from tests.lab import invoke, refused
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


def answer(line: str, shell: str = "bash") -> list[str]:
    """The lines that nnrun prints for a shell that asks about the last word of a line."""
    words = line.split(" ")
    variables = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    variables |= {"_NNRUN_COMPLETE": f"{shell}_complete"}
    done = invoke(**variables)
    assert (0, "") == (done.code, done.err)
    return done.out.splitlines()


def test_every_shell_has_a_line():
    """The pages show what to write for each of them."""
    assert [] == [shell for shell, lines in SETTINGS.items() if not lines]


@pytest.mark.parametrize("line", SETTINGS["bash"])
def test_bash_completes(line, tmp_path):
    """With the line of the pages, a tab completes commands, options, files and runs."""
    write_files(tmp_path)
    assert [*COMPLETED.values()] == lines_after_tabs("bash", line, tmp_path)


@pytest.mark.parametrize("words", [[], ["--help"], ["show"]])
def test_the_variable_counts_before_the_arguments(words):
    """A shell gets its function, and nothing else that it would run."""
    program = ["import os", "os.environ['_NNRUN_COMPLETE'] = 'zsh_source'"]
    program += ["import sys", f"sys.argv = ['nnrun', *{words}]"]
    program += ["from nnrun.__main__ import main", "main()"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(program)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("#compdef nnrun")


@pytest.mark.parametrize("value", ["csh_source", "bash", "bash_", "zsh_help", "1"])
def test_another_value_is_an_error(value):
    """The message has the values there are; nothing comes out that a shell would run."""
    assert f"error: _NNRUN_COMPLETE={value}: this is none of bash_source, zsh" in refused(
        _NNRUN_COMPLETE=value
    )


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"COMP_WORDS": "nnrun "},
        {"COMP_CWORD": "1"},
        {"COMP_WORDS": "nnrun ", "COMP_CWORD": "a"},
    ],
)
def test_no_line_to_complete_is_an_error(variables):
    """The value that completes, where one that shows a shell's function is meant."""
    nothing = dict.fromkeys(("COMP_WORDS", "COMP_CWORD"))
    asked = {"_NNRUN_COMPLETE": "bash_complete"}
    assert "in its settings, write bash_source" in refused(**nothing | variables | asked)


def test_commands_have_their_lines():
    """The shell shows them beside the commands."""
    lines = [part for name, (_, line) in COMMANDS.items() for part in ("plain", name, line)]
    assert lines == answer("nnrun ", "zsh")


def test_a_command_that_is_misspelt_completes_nothing():
    """No error comes between what is typed."""
    assert [""] == answer("nnrun trian fir")
