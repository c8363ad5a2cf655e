"""The one thread that looks at the results folder, and the parts of pages that it tells listeners
of.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from math import inf
from pathlib import Path
from threading import Condition, Thread
from time import monotonic
from typing import Any

from anyio import to_thread
from markupsafe import Markup

from nnrun import __version__
from nnrun.characters import shortened
from nnrun.config.settings import choice_of, setting_words
from nnrun.reports.charts.chart import element
from nnrun.reports.document import NOW, RUNS, Cell, Grid, Note, Section, StatusMark
from nnrun.reports.html.overview import Found, Limits, kinds_of, with_endings
from nnrun.reports.html.report import Report, parts_of
from nnrun.reports.html.runs import in_progress
from nnrun.reports.numbers import MISSING, count, duration, number, plural
from nnrun.reports.predictions import LoadData
from nnrun.reports.progress_words import names_of, share_words, sweep_line
from nnrun.reports.summary import metric_label
from nnrun.reports.templates import environment
from nnrun.runs.catalog.live import Key, LiveRuns
from nnrun.runs.catalog.summary import IN_PROGRESS, QUEUED, RUNNING, most_varied
from nnrun.runs.storage.sweep_progress import SweepCounts, sweeps_in
from nnrun.sweeps.board.best import searches_of
from nnrun.systems.process import not_collected

# Parts of a page: pieces of HTML that the server sends again when they have changed.

_PACKAGES = ("nnrun.ui", "nnrun.reports.html")


@dataclass(frozen=True)
class Part:
    """An element of a page.

    Of a `section`, which comes and goes, `html` is the whole element, of others what is in it; a
    section without a title is not in the list of contents.
    """

    id: str
    html: Markup
    title: str = ""
    section: bool = True
    digest: str = ""

    @classmethod
    def of(cls, part_id: str, html: str, title: str = "", *, section: bool = True) -> Part:
        """The part with this HTML."""
        digest = sha256(html.encode()).hexdigest()[:16]
        return cls(part_id, Markup(html), title, section, digest)


def parts_from(sections: Iterable[Section]) -> Iterator[Part]:
    """The parts of a report that these sections make, as in its file."""
    for name, sections_of in parts_of(sections).items():
        titled = len(sections_of) > 1 or sections_of[0].title != name
        html = rendered("part.html", name=name, sections=sections_of, titled=titled)
        yield Part.of(name.lower(), html.strip(), name)


def problem_part(why: str) -> Part:
    """Part in place of what cannot be drawn."""
    note = Note(f"This cannot be shown now: {shortened(why, 300)}.", "bad")
    (part,) = parts_from([Section("Problem", [note], "Problem")])
    return part


def rendered(template: str, /, **values: Any) -> str:
    """A template of the live page, which can use those of the report, with these values."""
    made = environment(*_PACKAGES).get_template(template)
    return made.render(
        version=__version__, count=count, plural=plural, sweep_line=sweep_line, **values
    )


_SECONDS = 1.0
# Looking, and drawing what has ended, take at most these shares of the time.
_LOOKING, _DRAWING = 0.1, 0.2
_PATIENCE = 30.0


Draw = Callable[[Sequence[Found], Sequence[SweepCounts]], Sequence[Part]]
DrawNow = Callable[[Sequence[Found], Sequence[SweepCounts], str], Sequence[Part]]


class Watcher:
    """Looks at most once a second, and only while pages are open or asked for.

    Args:
        root: the results folder.
        draw_now: makes the parts about runs in progress; it gets the path of the results folder,
            where there is none.
        draw: makes those about runs that have ended.
        publish: called in the watcher's thread with each new snapshot.
    """

    def __init__(
        self, root: Path, draw_now: DrawNow, draw: Draw, publish: Callable[[Snapshot], None]
    ) -> None:
        self._root = root
        self.snapshot = Snapshot()
        self._live = LiveRuns(root)
        self._draw_now, self._draw, self._publish = draw_now, draw, publish
        self._state = Condition()
        self._listeners = 0
        self._asked = True  # the first look is made before the first page is opened
        self._ended = False
        self._draws = False
        self._missing = ""
        self._looked = -inf  # when the last look that has ended began
        self._next_look = self._next_drawing = 0.0
        self._outdated = True
        self._thread = Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin; it ends with `close`."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        with self._state:
            self._ended = True
            self._state.notify_all()
        if self._thread.is_alive():
            self._thread.join(_SECONDS)

    def listen(self, change: int) -> None:
        """Count pages that are open: one more, or one less (-1)."""
        with self._state:
            self._listeners += change
            self._state.notify_all()

    def fresh(self, drawn_within: float = 0.0) -> Snapshot:
        """A snapshot of the last second.

        This many seconds after the call it no longer waits for results that are drawn: of many runs
        they follow later.
        """
        latest = monotonic() + drawn_within
        with self._state:
            oldest = monotonic() - _SECONDS
            if self._looked < oldest:
                self._asked = True
                self._state.notify_all()
                # While results are drawn there is no look: what was known before is shown.
                self._state.wait_for(
                    lambda: self._ended or self._looked >= oldest or self._draws, _PATIENCE
                )
            left = max(latest - monotonic(), 0.0)
            self._state.wait_for(lambda: self._ended or self._is_drawn(), left)
            return self.snapshot

    def _is_drawn(self) -> bool:
        """Whether the results are those of the last look, or will not be drawn soon."""
        waits = self._outdated and monotonic() >= self._next_drawing
        return self.snapshot.drawn and not waits and not self._draws

    def _run(self) -> None:
        while self._waited():
            start = monotonic()
            with not_collected():
                self._attempt(self._look)
            with self._state:
                self._looked = start
                self._state.notify_all()
            if self._outdated and monotonic() >= self._next_drawing:
                self._set_draws(True)
                self._attempt(self._draw_results)
                self._set_draws(False)  # once they are shown, which `fresh` waits for

    def _attempt(self, step: Callable[[], None]) -> None:
        """Take a step; an error, as of a folder without permission, is shown until the next one."""
        try:
            step()
        except Exception as error:  # the pages stay open, and later looks may succeed
            why = f"{type(error).__name__}: {error}"
            self._show(replace(self.snapshot, results=[problem_part(why)], drawn=True))
            self._outdated = True

    def _waited(self) -> bool:
        """Wait until the next look is due; returns whether there is one."""
        with self._state:
            while not self._ended and not self._asked:
                left = self._next_look - monotonic()
                if self._listeners and left <= 0:
                    break
                self._state.wait(left if self._listeners else None)
            self._asked = False
            return not self._ended

    def _look(self) -> None:
        start = monotonic()
        self._next_look = start + _SECONDS
        before, self._missing = self._missing, "" if self._root.is_dir() else str(self._root)
        sweeps, changed = sweeps_in(self._root), self._live.look()
        moved = before != self._missing
        if changed or moved or sweeps != self.snapshot.sweeps or self._looked == -inf:
            self._outdated |= any(map(self._has_ended, changed))
            runs = [Found(f"{self._root}/{run.label}", run) for run in self._live.runs]
            now = self._draw_now(runs, sweeps, self._missing)
            self._show(replace(self.snapshot, runs=runs, sweeps=sweeps, now=now))
        self._next_look = start + max(_SECONDS, (monotonic() - start) / _LOOKING)

    def _has_ended(self, key: Key) -> bool:
        run = self._live.get(key)
        return run is None or run.status not in IN_PROGRESS

    def _draw_results(self) -> None:
        start = monotonic()
        self._outdated = False
        try:
            with not_collected():
                results = self._draw(self.snapshot.runs, self.snapshot.sweeps)
        finally:
            end = monotonic()
            self._next_drawing = end + (end - start) / _DRAWING
        self._show(replace(self.snapshot, results=results, drawn=True))

    def _set_draws(self, draws: bool) -> None:
        with self._state:
            self._draws = draws
            self._state.notify_all()

    def _show(self, snapshot: Snapshot) -> None:
        with self._state:
            self.snapshot = snapshot
            self._state.notify_all()
        self._publish(snapshot)


@dataclass(frozen=True)
class Snapshot:
    """What is known at one moment.

    Args:
        runs: all of them, by name and seed.
        sweeps: in progress, as far as they count their runs.
        now: the parts about runs in progress and about all runs.
        results: those about runs that have ended; of an earlier moment, if that takes long.
        drawn: whether there are such.
    """

    runs: Sequence[Found] = ()
    sweeps: Sequence[SweepCounts] = ()
    now: Sequence[Part] = ()
    results: Sequence[Part] = ()
    drawn: bool = False

    def find(self, key: str) -> Found | None:
        """The run with this name and id."""
        return next((run for run in self.runs if run.overview.label == key), None)


# The parts of the first page: the report of all runs, those in progress, and the list of runs.

# A page is drawn again and again: it shows less than a file.
_LIMITS = Limits(rows=200, runs=0, in_full=0, drawn=12, seeds=50)
_MOST_RUNS = 50
COUNTS = "counts"
_WAIT = Part.of(
    "wait", rendered("wait.html", id="wait", title="", text="The boards are being drawn …")
)
# These sections are always there, so that others stay where they are when runs come and go.
_NO_BEST, _NO_NOW = (
    Part.of(title.lower(), rendered("wait.html", id=title.lower(), title=title, text=text), title)
    for title, text in (("Best", "No run has ended yet."), (NOW, "No run is in progress."))
)


def overview_parts(snapshot: Snapshot) -> list[Part]:
    """The parts of the first page, in order; the counts come first."""
    if not snapshot.now:  # the folder could not be looked at
        return [*snapshot.results]
    counts, *progress, runs = snapshot.now
    best, others = snapshot.results[:1] or [_NO_BEST], snapshot.results[1:]
    others = others if snapshot.drawn else [_WAIT]
    return [counts, *best, *(progress or [_NO_NOW]), *others, runs]


def run_parts(run: Found | None) -> list[Part]:
    """The parts of the page of a run in progress; none once it has ended."""
    if run is None or run.overview.status not in IN_PROGRESS:
        return []
    if run.overview.status == QUEUED:
        note = Note("It waits in a sweep whose workers are busy.")
        return [*parts_from([Section("In progress", [note], NOW)])]
    return [*parts_from(in_progress([run.overview]))]


def counted(runs: Sequence[Found], sweeps: Sequence[SweepCounts]) -> Counter[str]:
    """The runs by kind: how many of a sweep are running is what its own line says of it."""
    names = names_of(sweeps)
    kinds = kinds_of(
        run
        for run in runs
        if run.overview.status not in IN_PROGRESS or run.overview.name not in names
    )
    kinds[RUNNING] += sum(sweep.running for sweep in sweeps)
    return +kinds


def draw_now(runs: Sequence[Found], sweeps: Sequence[SweepCounts], missing: str = "") -> list[Part]:
    """The counts, the sweeps and runs in progress, and the newest runs.

    `missing` is the path of the results folder, where there is none.
    """
    kinds = counted(runs, sweeps)
    counts = rendered(
        "counts.html", total=kinds.total(), statuses=kinds, sweeps=sweeps, missing=missing
    )
    newest = sorted(runs, key=lambda run: run.overview.started or "", reverse=True)[:_MOST_RUNS]
    shown = table_of(newest, runs, "The newest runs")
    table = rendered("runs_part.html", id=RUNS.lower(), runs=shown, total=len(runs))
    return [
        Part.of(COUNTS, counts, section=False),
        *parts_from(in_progress([run.overview for run in runs])),
        Part.of(RUNS.lower(), table, RUNS),
    ]


def draw(runs: Sequence[Found], sweeps: Sequence[SweepCounts], load_data: LoadData) -> list[Part]:
    """The verdict, and the leaderboards, curves and settings of the runs that have ended."""
    # What is in progress now is counted in the header alone: this is drawn less often.
    ended = [run for run in runs if run.overview.status not in IN_PROGRESS]
    if not ended:
        return []
    report = report_of(ended, load_data)
    # They read the data's notes.
    sections = [*report.results(), *report.searches()]
    notes = [*report.data_notes(), ("counted", f"{plural(len(ended), 'run')} at their end")]
    best = rendered(
        "best.html", title="Best", verdict=report.verdict, cards=report.cards, data_notes=notes
    )
    return [Part.of("best", best.strip(), "Best"), *parts_from(sections)]


def report_of(runs: Sequence[Found], load_data: LoadData) -> Report:
    """The report on these runs, in which each has a page of its own."""
    report = Report(runs, load_data, _LIMITS)
    report.anchors = {run.key: f"runs/{run.key}" for run in runs}
    return report


_HEADER = ("", "run", "result", "status", "settings", "started", "seed", "training")


def table_of(shown: Sequence[Found], every: Sequence[Found], title: str) -> Grid:
    """A row for each of these runs, described by what a search chose, or by what differs."""
    keys = most_varied([run.overview for run in every])
    searches = searches_of({run.folder.parent for run in shown}, [run.overview for run in every])
    rows = []
    for run in with_endings(shown, searches):
        seen = run.overview
        choice = searches.choices.get((seen.name, seen.run_id))
        rows.append(_row(run, choice or choice_of(seen.settings or {}, keys.get(seen.name, ()))))
    return Grid(title, _HEADER, rows, texts=6, heads=1, hidden=True)


def _row(listed: Found, choice: Mapping[str, Any]) -> list[Cell]:
    run, key = listed.overview, listed.overview.label
    mark = StatusMark.of(run.status, run.warnings)
    result, began = run.result, run.status != QUEUED
    value = MISSING
    if result is not None:
        value = f"{result[0]} {metric_label(str(run.metric))} {number(result[1])}"
    box = element("input", type="checkbox", name="run", value=key, aria_label=f"Compare {key}")
    return [
        Cell("", drawing=box),
        Cell(key, link=f"runs/{key}"),
        Cell(shortened(value, 60)),
        Cell(" ".join([mark.text, *share_words(run.progress)]), kind=f"status {mark.kind}"),
        Cell(shortened(setting_words(choice)) or MISSING),
        Cell(MISSING if not began or run.started is None else run.started[:19].replace("T", " ")),
        Cell(MISSING if run.seed is None else str(run.seed)),
        Cell(MISSING if not began or run.seconds is None else duration(run.seconds)),
    ]


# Open pages: each gets the parts that have changed since it got them last.

# A comment that keeps the connection open, and finds out whether the page is still there.
_SILENCE_SECONDS = 15.0
_RETRY = "retry: 1000\n\n"
MOST = 50
"""Open pages; another one is answered that there are too many."""
_FULL = "event: full\ndata: too many pages are open\n\n"
View = Callable[[Snapshot], Sequence[Part]]


class Listeners:
    """Passes snapshots from the watcher's thread to the event loop.

    A page that reads slowly gets the newest snapshot, and none of those in between.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[asyncio.Event] = set()
        self._closed = False

    def attach(self) -> None:
        """Use the event loop that is running."""
        self._loop = asyncio.get_running_loop()

    def publish(self, _: Snapshot) -> None:
        """Wake the open pages; called in any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """End the streams of all pages; called in any thread."""
        self._closed = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()

    async def stream(self, watcher: Watcher, view: View) -> AsyncIterator[str]:
        """The events of one page, until it is closed."""
        if len(self._waiting) >= MOST:
            yield _FULL
            return
        arrived = asyncio.Event()
        self._waiting.add(arrived)
        watcher.listen(1)
        try:
            yield _RETRY
            await to_thread.run_sync(watcher.fresh)
            sent: dict[str, str] = {}
            while not self._closed:
                parts = view(watcher.snapshot)
                digests = {part.id: part.digest for part in parts}
                if digests != sent:
                    yield _event(parts, sent)
                    sent = digests
                try:
                    await asyncio.wait_for(arrived.wait(), _SILENCE_SECONDS)
                except TimeoutError:
                    yield ":\n\n"
                arrived.clear()
        finally:
            watcher.listen(-1)
            self._waiting.discard(arrived)


def _event(parts: Sequence[Part], sent: dict[str, str]) -> str:
    """The changed parts, and the ids of all."""
    changed = [asdict(part) for part in parts if sent.get(part.id) != part.digest]
    content = {"order": [[part.id, part.title] for part in parts], "parts": changed}
    return f"event: parts\ndata: {json.dumps(content)}\n\n"


# Numbers in addresses and headers.

_MOST_DIGITS = 9


def whole_number(text: str) -> int | None:
    """The number that these digits 0 to 9 make; None if they are too many, or other characters."""
    sound = text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
    return int(text) if sound else None
