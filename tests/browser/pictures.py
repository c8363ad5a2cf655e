"""The pictures of the pages, taken of real runs: `python -m tests.browser.pictures nnrun/docs`.

The notebook's eight experiments over 20 seeds are swept on a terminal of 80 by 24 characters, whose
screen is drawn while the rows form; then the report over the digits is opened in Chromium. In the
playground a network learns two spirals.
"""

from __future__ import annotations

import fcntl
import html
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

import pyte
from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.check_ui import served
from tests.browser.conftest import FLAGS, NOTEBOOK, program

ROOT = Path(__file__).parents[2]
COLUMNS, LINES = 80, 24
SPIRALS = "playground?data=spirals&layers=8,5,3&optimizer=adam&rate=0.01"
# When this share of the runs has ended, the screen shows most.
SHARE = 0.7
COLOURS = {
    "default": "#d6dde4", "black": "#66707a", "red": "#ff8a80", "green": "#6fcf97",
    "brown": "#e8b04a", "blue": "#79b8ff", "magenta": "#e58fc5", "cyan": "#66d9e8",
    "white": "#ffffff", "brightblack": "#7d8894",
}  # fmt: skip
STYLE = """
body{margin:0;background:#ffffff}
pre{margin:0;display:inline-block;background:#12161b;border-radius:10px;padding:16px 20px;
font:15px/1.35 "DejaVu Sans Mono",monospace}
"""


def screen_of_sweep(results: Path) -> str:
    """Run the sweep on a terminal; the screen as it was on the way, as HTML."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    configs = [f"configs/{name}.yaml" for name in NOTEBOOK]
    command = [sys.executable, "-m", "nnrun", "sweep", *configs, "--seeds", "20"]
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    process = subprocess.Popen(
        [*command, "--results", str(results)],
        cwd=ROOT, env=environment, stderr=theirs, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs)
    taken = ""
    try:
        while part := os.read(ours, 4096):
            stream.feed(part)
            found = re.search(r"(\d+)/(\d+) runs", "\n".join(screen.display))
            if found and not taken and int(found[1]) >= SHARE * int(found[2]):
                taken = drawn(screen)
    except OSError:  # how a terminal says that its other end is closed
        pass
    assert process.wait() == 0
    return taken


def drawn(screen: pyte.Screen) -> str:
    """The characters of a screen in their colours; blank lines at its end are left out."""
    lines = []
    for row in range(screen.lines):
        cells = [screen.buffer[row][column] for column in range(screen.columns)]
        spans = [
            f'<span style="color:{colour(cell)};font-weight:{700 if cell.bold else 400}">'
            f"{html.escape(cell.data)}</span>"
            for cell in cells
        ]
        lines.append("".join(spans) if any(cell.data.strip() for cell in cells) else "")
    return f"<style>{STYLE}</style><pre>{chr(10).join(lines).rstrip()}</pre>"


def colour(cell: pyte.screens.Char) -> str:
    return COLOURS.get(
        cell.fg, f"#{cell.fg}" if re.fullmatch(r"[0-9a-f]{6}", cell.fg) else "#d6dde4"
    )


def take(browser: Browser, folder: Path, results: Path, screen: str) -> None:
    """Draw both."""
    page = browser.new_page(viewport={"width": 900, "height": 600})
    page.set_content(screen)
    page.locator("pre").screenshot(path=folder / "sweep.png")
    report = results / "report.html"
    words = [str(results / name) for name in NOTEBOOK if name.startswith("digits")]
    command = [sys.executable, "-m", "nnrun", "report", *words, "-o", str(report), "-q"]
    subprocess.run(command, check=True, cwd=ROOT)
    page = browser.new_page(viewport={"width": 1240, "height": 930})
    page.goto(report.as_uri())
    page.screenshot(path=folder / "report.png")


def play(browser: Browser, folder: Path, results: Path) -> None:
    """The playground once its network has learned, with the numbers of a unit."""
    page, file = (
        browser.new_page(viewport={"width": 1280, "height": 770}),
        folder / "playground.png",
    )
    with served(results) as address:
        page.goto(address)
        page.wait_for_selector("header")  # of the page that the first one leads to
        page.goto(address + SPIRALS)
        page.get_by_role("button", name="Play").click()
        expect(page.locator("#play-held")).to_have_text(re.compile(r"0\.0[0-4]"), timeout=120_000)
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="layer 0, unit 2", exact=True).hover()
        page.mouse.move(0, 0)
        page.screenshot(path=file)
    # The many colours of the surfaces would make the file four times as large.
    few = Image.open(file).convert("RGB").quantize(160, Image.Quantize.MAXCOVERAGE)
    few.save(file, optimize=True)


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "results" / "pictures")
    folder.mkdir(parents=True, exist_ok=True)
    results = Path(tempfile.mkdtemp())
    try:
        screen = screen_of_sweep(results)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program(), args=FLAGS)
            take(browser, folder, results, screen)
            play(browser, folder, results)
            browser.close()
    finally:
        shutil.rmtree(results)


if __name__ == "__main__":
    main()
