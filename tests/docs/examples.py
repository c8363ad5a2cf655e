"""What pages show: configs, commands and Python, and files that these name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "nnrun" / "docs"
README = ROOT / "README.md"
PLACES = {path.stem: path for path in (README, *sorted(DOCS.glob("*.md")))}
"""Every page by its name; the README is one of them."""


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(text: str, language: str = "") -> list[str]:
    """Blocks of code in a language; without one, of commands."""
    return [body for name, body in _all_blocks(text) if name == language]


def _all_blocks(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> Iterator[list[str]]:
    """The words of every nnrun line in a block of commands; to be asked for one after the other,
    since stars of the shell are filled in.
    """
    for block in blocks(text):
        for line in block.splitlines():
            if line.startswith("nnrun "):
                words = shlex.split(line, comments=True)[1:]
                yield [name for word in words for name in (_glob(word) if "*" in word else [word])]


def _glob(pattern: str) -> list[str]:
    return sorted(str(path) for path in Path().glob(pattern))


def write_files() -> None:
    """Put what pages name into the current folder: configs, tables and arrays."""
    for page in PLACES.values():
        for config in blocks(read(page), "yaml"):
            name = config.partition("\n")[0].removeprefix("# ")
            Path(name).write_text(config, encoding="utf-8")
    for code in blocks(read(PLACES["plugins"]), "python"):
        if code.startswith("# "):
            Path(code.partition("\n")[0].removeprefix("# ")).write_text(code, encoding="utf-8")
    cars = "cylinders,displacement,horsepower,weight,acceleration,model_year,origin"
    rows = ["8,307,130,3504,12,70,1", "4,113,95,2372,15,70,3"]
    lines = [f"{cars},plate", *(f"{row},A {number}" for number, row in enumerate(rows))]
    Path("new_cars.csv").write_text("\n".join(lines), encoding="utf-8")
    scored = [f"{cars},mpg", *(f"{row},20" for row in rows)]
    Path("cars.csv").write_text("\n".join(scored), encoding="utf-8")
    rooms = (f"{40 + n % 13},{n % 7},{1 + n % 4},{2 * (n % 13) + n % 3}" for n in range(60))
    houses = ["size,agent,visits,price", *rooms]
    Path("houses.csv").write_text("\n".join(houses), encoding="utf-8")
    kinds = (
        f"{'abc'[n % 3]},shop {n % 17},city {n % 11},{n % 5},{n % 17 + n % 11}" for n in range(200)
    )
    sales = ["kind,shop,city,size,price", *kinds]
    Path("sales.csv").write_text("\n".join(sales), encoding="utf-8")
    Path("new_sales.csv").write_text("kind,shop,city,size\na,shop 99,city 2,3\n", encoding="utf-8")
    flats = (
        f"{1 + n % 28}.{1 + n % 12}.2024;{30 + n % 50} m²;1.{n % 50 * 17 + 100:03},50 €"
        for n in range(60)
    )
    Path("flats.csv").write_text("\n".join(["let;size;rent", *flats]), encoding="utf-8")
    for page in ("series", "data"):
        for code in blocks(read(PLACES[page]), "python"):
            exec(code, {})  # it writes the files that the page is about
    np.savez("images.npz", x=np.zeros((3, 1, 8, 8)))
    np.savez("tumours.npz", x=np.zeros((3, 30)))
    for number in range(16):
        file = Path("cats", ("tabby", "tiger")[number % 2], f"{number}.png")
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(256, size=(12, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(file)
    Path("configs").mkdir()
    for name in ("iris_softmax", "digits_cnn"):
        text = read(ROOT / "configs" / f"{name}.yaml")
        text = re.sub("iterations: .*", "iterations: 20", text)
        text = re.sub("sweep: {seeds: .*", "sweep: {seeds: 2}", text)
        Path("configs", f"{name}.yaml").write_text(text, encoding="utf-8")
