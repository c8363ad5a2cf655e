"""Completion by bash, and what any shell is answered; `check_shells.py` has the others."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nnrun.cli import COMMANDS
from tests.cli.shells import COMPLETED, SETTINGS, lines_after_tabs, write_files
from tests.lab import invoke, refused


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
