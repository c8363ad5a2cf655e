"""`python -m tests.simulations.advice`: how often a diagnosis is right, missing or false.

The corpus is that of `corpus/recipes.py` and `corpus/later.py`. Advice is right if it names what is
wrong and nothing that is not so; missing if it does not; false if it says anything that is not so.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import nnrun
from tests.simulations.corpus import later
from tests.simulations.corpus.recipes import FINE, ILL, MADE, Recipe, held_out, looked_at

HOW = """\
Of forty runs half, by the digests of their names, were looked at while the rules were written. \
What came out when runs were first seen, each once, and by the rules that were there before:

| ill runs, when first run | number | right | missing | false |
| :-- | --: | --: | --: | --: |
| looked at, rules of before | 10 | 7 | 3 | 2 |
| held out, rules of before | 10 | 3 | 6 | 4 |
| held out | 10 | 7 | 3 | 2 |
| written later | 10 | 7 | 3 | 0 |

Fine runs had no warning in any of these. The table further up is of today's rules, which were \
changed by what the held-out runs showed: a learning rate far above its limit is named before \
overfitting, and a falling training loss counts only if held-out rows share the fall. Recipes of \
the runs written later are from before that change, and they were run once after it. They, and not \
the held-out half any more, are what today's rules have not seen."""


@dataclass(frozen=True)
class Outcome:
    """What was said of a run.

    Args:
        recipe: of the run.
        warnings: of its record.
    """

    recipe: Recipe
    warnings: list[dict[str, str]]

    @property
    def kinds(self) -> list[str]:
        """The kinds of the warnings."""
        return [warning["kind"] for warning in self.warnings]

    @property
    def verdict(self) -> str:
        """`right`, `missing`, `false`, or both of the latter."""
        recipe, said = self.recipe, set(self.kinds)
        missing = not recipe.fine and not said & recipe.told
        false = bool(said - recipe.true)
        return ", ".join(["missing"] * missing + ["false"] * false) or "right"


def outcome(recipe: Recipe, folder: Path) -> Outcome:
    """Train the run and return what was said."""
    record = nnrun.train(content(recipe, folder), results=None).record
    return Outcome(recipe, record.warnings)


def content(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """The config, with its made data written to the folder."""
    dataset = dict(recipe.config["dataset"])
    if name := dataset.pop("made", None):
        path = folder / f"{name}.npz"
        x, y = MADE[name]()
        np.savez(path, x=x, y=y)
        dataset["path"] = str(path)
    return recipe.config | {"name": "advice", "dataset": dataset}


def outcomes(recipes: Sequence[Recipe]) -> list[Outcome]:
    """What was said of each run."""
    with TemporaryDirectory() as folder:
        return [outcome(recipe, Path(folder)) for recipe in recipes]


def report(halves: dict[str, tuple[Sequence[Recipe], Sequence[Recipe]]]) -> Iterator[str]:
    """The page."""
    from tests.simulations.best_of_table import table

    found = {
        (half, kind): outcomes(recipes)
        for half, both in halves.items()
        for kind, recipes in zip(("fine", "ill"), both, strict=True)
    }
    yield "# Advice: how often it is right"
    yield (
        "Runs with nothing wrong and runs with one thing wrong, each by a recipe that says what "
        "must be said of it. Advice is right if it names what is wrong and nothing that is not so, "
        "missing if it does not name it, false if it says anything that is not so; it can be both. "
        "Of a run with nothing wrong any warning is false. Recipes, seeds and expectations were "
        "written and committed before the rules, and none was changed."
    )
    yield "Made by\n\n```sh\npython -m tests.simulations.advice -o results/ADVICE.md\n```"
    rows = [[f"{kind}, {half}", *_counts(told)] for (half, kind), told in found.items()]
    yield table("runs", ["number", "right", "missing", "false"], rows)
    yield HOW
    for (half, kind), told in found.items():
        yield f"## {kind.capitalize()} runs, {half}"
        yield table("run", ["must be said", "is said", "verdict"], [_line(one) for one in told])


def _counts(told: Sequence[Outcome]) -> list[str]:
    counts = Counter(word for one in told for word in one.verdict.split(", "))
    return [str(len(told)), *(str(counts[word]) for word in ("right", "missing", "false"))]


def _line(one: Outcome) -> list[str]:
    said = ", ".join(f"`{kind}`" for kind in one.kinds) or "nothing"
    told = " or ".join(f"`{kind}`" for kind in sorted(one.recipe.told)) or "nothing"
    return [one.recipe.name, told, said, one.verdict]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulations.advice")
    parser.add_argument("--looked-at", action="store_true", help="only the half for the rules")
    parser.add_argument("--messages", action="store_true", help="print each warning")
    parser.add_argument("-o", "--output", type=Path, help="write the page to this file too")
    arguments = parser.parse_args()
    halves = {"looked at": (looked_at(FINE), looked_at(ILL))}
    if not arguments.looked_at:
        halves["held out"] = (held_out(FINE), held_out(ILL))
        halves["written later"] = (later.FINE, later.ILL)
    if arguments.messages:
        for one in outcomes([*halves["looked at"][0], *halves["looked at"][1]]):
            print(f"\n{one.recipe.name}: {one.verdict}", *(f"\n  {w['kind']}: {w['message']}"
                  for w in one.warnings), flush=True)  # fmt: skip
        return
    blocks = []
    for block in report(halves):
        blocks.append(block)
        print(block, end="\n\n", flush=True)
    if arguments.output:
        arguments.output.write_text("\n\n".join(blocks) + "\n")


if __name__ == "__main__":
    main()
