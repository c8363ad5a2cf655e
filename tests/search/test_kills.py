"""A search that is killed twenty times, wherever it is, and goes on each time."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

from tests.search.helpers import config, outcome, search

KILLS = 20
# Each call is a process of its own, which kills itself at one of its next writes or names of files;
# it inherits all modules from this one. The plan of moments is fixed.
KILLED = """
import json, os, random, signal, sys
from pathlib import Path
from tests.search.helpers import search
import optuna

content, root, kills = json.loads(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
moments = random.Random(7)

def call(moment):
    def counted(real):
        def function(*arguments, **more):
            nonlocal moment
            moment -= 1
            if not moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **more)
        return function
    for name in ("fsync", "replace"):
        setattr(os, name, counted(getattr(os, name)))
    search(content, root)
    os._exit(0)

for _ in range(kills):
    child = os.fork()
    if not child:
        call(moments.randint(1, 30))
    print(os.WTERMSIG(os.waitpid(child, 0)[1]), flush=True)
"""


def test_twenty_kills_change_nothing(tmp_path):
    """The same command goes on after each, with the trials and bits of a search in peace."""
    content = config(pruning="asynchronous_halving", trials=24)
    words = [json.dumps(content), str(tmp_path / "killed"), str(KILLS)]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *words], stdout=subprocess.PIPE, text=True, check=True
    )
    assert [signal.SIGKILL] * KILLS == [int(line) for line in killed.stdout.split()]
    search(content, tmp_path / "killed")
    search(content, tmp_path / "in_peace")
    assert outcome(tmp_path / "in_peace") == outcome(tmp_path / "killed")
