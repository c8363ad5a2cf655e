"""S6: results folders of many settings × 5 seeds: what commands take as whole processes.

`python -m tests.benchmarks.whole_processes.many 200 2000` measures folders of these numbers of
settings.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from tests.benchmarks.tables.grid import grid
from tests.benchmarks.whole_processes.folders import CONFIG, Taken, fill, in_temporary_folder, nnrun

ID = "S6"
SETTINGS, SEEDS = (2_000, 20_000), 5
_RESULTS = ("--results", "many")


def table(rounds: int, settings: Sequence[int] = SETTINGS) -> str:
    """A Markdown table of CPU seconds, which other work on the machine changes little, and peak
    memory, of one round.
    """
    found = {number: dict(measured(number)) for number in settings}
    header = ["", *(f"{number * SEEDS:,} runs: CPU s, MB" for number in settings)]
    titles = found[settings[0]]
    rows = [[title, *(_cell(found[number][title]) for number in settings)] for title in titles]
    title = f"{ID}: folders of {' and '.join(f'{n:,}' for n in settings)} settings × {SEEDS} seeds"
    return "\n".join([title, "", *grid(header, rows)])


def _cell(taken: Taken) -> str:
    return f"{taken.cpu:.2f}, {taken.memory:.0f}"


def measured(settings: int) -> Iterator[tuple[str, Taken]]:
    """What each command takes with this many settings."""
    with in_temporary_folder():
        Path("iris.yaml").write_text(CONFIG)
        nnrun("train", "iris.yaml", "--results", "template", "-q")
        rates = ",".join(str(k / 100_000) for k in range(1, settings + 1))
        Path("grid.yaml").write_text(
            f"name: iris\n{CONFIG}sweep: {{grid: {{training.learning_rate: [{rates}]}}}}\n"
        )
        template = next(Path("template/iris").iterdir())
        words = [f"training.learning_rate={rates}"]
        fill(Path("many"), template, words, SEEDS)
        yield "the index is made", nnrun("ls", *_RESULTS)
        yield "`ls`", nnrun("ls", *_RESULTS)
        for folder in islice(Path("many/iris").iterdir(), 1_000):
            shutil.rmtree(folder)
        yield "after 1,000 folders were removed", nnrun("ls", *_RESULTS)
        fill_again = [*_RESULTS, "--max-runs", str(settings * SEEDS), "--seeds", str(SEEDS), "-q"]
        yield "`sweep` that trains these 1,000 again", nnrun("sweep", "grid.yaml", *fill_again)
        yield "`sweep` of complete runs alone", nnrun("sweep", "grid.yaml", *fill_again)
        yield "`ls --leaderboard`", nnrun("ls", "--leaderboard", *_RESULTS)
        yield "`ls --sort test --top 5`", nnrun("ls", "--sort", "test", "--top", "5", *_RESULTS)
        yield "`show latest`", nnrun("show", "latest", *_RESULTS)
        yield "`show iris/best`", nnrun("show", "iris/best", *_RESULTS)
        yield "`best iris`", nnrun("best", "iris", *_RESULTS)
        yield "`report`", nnrun("report", *_RESULTS)


if __name__ == "__main__":
    print(table(1, [int(word) for word in sys.argv[1:]] or SETTINGS))
