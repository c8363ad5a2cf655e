"""Hand-ins of a class: which files they are, and their grades, in processes.

A hand-in is another person's file. It is graded in a process that works in a temporary folder and
has a time limit; one of Python, whose code is run, has a process to itself.
"""

from __future__ import annotations

import gc
import json
import os
import re
from collections import defaultdict, deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from shutil import rmtree
from tempfile import TemporaryDirectory
from threading import Thread
from time import monotonic
from typing import Any

from nnrun import child
from nnrun.config.files import SUFFIXES
from nnrun.course.files import NUMBERS, OWN_LAYER, hand_in_name, lesson_of
from nnrun.course.variants import name_in
from nnrun.data.readers.opening import open_named
from nnrun.errors import NnrunError
from nnrun.pool import ONE_THREAD, end_at_hangup, serialize_error
from nnrun.systems import system
from nnrun.unfinished import undone_on_failure

# Which files of a folder are hand-ins, whose, and for which lesson.

_PAGE = re.compile(r"lesson-\d+\.yaml")  # `nnrun init --lesson` writes one beside the exercise
_COMMENT = re.compile(r"(^|\s)#.*", re.MULTILINE)
_MOST_BYTES = 1 << 20
_PYTHON = ".py"


@dataclass(frozen=True)
class HandIn:
    """A file that a student hands in.

    Args:
        student: the name of the file without its ending, or that of the folder that it is in.
        file: its place; a folder without a hand-in stands for itself.
        lesson: its number, if it is known.
        error: why it cannot be graded, if that shows without reading it.
        variant: the name in its first line, if it is made for a student.
    """

    student: str
    file: Path
    lesson: int | None
    error: str = ""
    variant: str = ""


@dataclass(frozen=True)
class GradedHandIn:
    """A hand-in with its grade.

    Args:
        hand_in: the hand-in.
        points: of its grade; 0 where there is an error.
        criteria: each with its `name`, whether it is `met`, and its `points`.
        missing: of each criterion that is not met the `name`, what `says` so, and a `hint`.
        error: why it could not be graded.
        same_as: the students whose hand-ins differ from it in comments and blanks alone, and those
            whose variant of the exercise it is made of.
    """

    hand_in: HandIn
    points: int
    criteria: list[dict[str, Any]]
    missing: list[dict[str, str]]
    error: str
    same_as: list[str]

    def to_dict(self, *, hints: bool) -> dict[str, Any]:
        """The grade as JSON data."""
        return {
            "student": self.hand_in.student,
            "lesson": self.hand_in.lesson,
            "for": self.hand_in.variant,
            "points": self.points,
            "criteria": self.criteria,
            "error": self.error,
            "same_as": self.same_as,
            "missing": [
                {key: text for key, text in each.items() if hints or key != "hint"}
                for each in self.missing
            ],
        }


def find_hand_ins(folder: Path, lesson: int | None, besides: Path | None) -> list[HandIn]:
    """The hand-ins in a folder, by student: its files, and those in a sub-folder for each student.

    Args:
        folder: the folder; hidden files and the configs of lessons in it are no hand-ins.
        lesson: of all files; by default each is for the one that its name says.
        besides: a file that is no hand-in, since grades are written there.
    """
    hand_ins: list[HandIn] = []
    for place in _entries(folder):
        if place.is_dir() and not place.is_symlink():
            hand_ins += _in_folder(place, lesson)
        elif besides is None or place.absolute() != besides.absolute():
            hand_ins.append(_hand_in(place.stem, place, lesson))
    return sorted(hand_ins, key=lambda each: (each.student, each.lesson or 0, each.file))


def _entries(folder: Path) -> Iterator[Path]:
    for place in folder.iterdir():
        if not place.name.startswith((".", "__")) and not _PAGE.fullmatch(place.name):
            yield place


def _in_folder(folder: Path, lesson: int | None) -> Iterator[HandIn]:
    """Files whose names say that they are hand-ins; else those of the right kind."""
    files = [place for place in _entries(folder) if not place.is_dir()]
    chosen = [
        file for file in files if lesson_of(file) in ({*NUMBERS} if lesson is None else {lesson})
    ]
    if lesson is not None and not chosen:
        endings = (_PYTHON,) if lesson == OWN_LAYER else SUFFIXES
        chosen = [f for f in files if f.name.endswith(endings) and lesson_of(f) is None]
    for file in chosen:
        yield _hand_in(folder.name, file, lesson)
    if not chosen:
        name = "exercise-N.yaml" if lesson is None else hand_in_name(lesson)
        yield HandIn(folder.name, folder, lesson, f"there is no {name} in the folder")


def _hand_in(student: str, file: Path, lesson: int | None) -> HandIn:
    lesson, error = lesson_of(file) if lesson is None else lesson, ""
    if file.is_symlink():
        error = f"{file.name} is a link, and no file of its own"
    elif lesson is None:
        error = f"{file.name} says no lesson; give --lesson, or name it as in exercise-1.yaml"
    elif (lesson == OWN_LAYER) != (file.suffix == _PYTHON):
        error = f"{file.name}: a file like {hand_in_name(lesson)} is asked for"
    return HandIn(student, file, lesson, error, "" if error else name_in(file))


def _same(hand_ins: Sequence[HandIn]) -> list[list[str]]:
    """Of each hand-in the students of those with the same content, or the name of one student."""
    groups: dict[Any, list[int]] = defaultdict(list)
    for place, hand_in in enumerate(hand_ins):
        content = "" if hand_in.error else _content(hand_in.file)
        for same in filter(None, (content, hand_in.variant.casefold())):
            groups[hand_in.lesson, same].append(place)
    among: list[set[int]] = [set() for _ in hand_ins]
    for group in groups.values():
        for place in group:
            among[place].update(other for other in group if other != place)
    return [[hand_ins[other].student for other in sorted(others)] for others in among]


def _content(file: Path) -> str:
    """The content of a file without comments and blanks; empty if it cannot be read."""
    try:
        with open_named(file) as stream:
            text = stream.read(_MOST_BYTES).decode(errors="replace")
    except (OSError, ValueError, NnrunError):
        return ""
    return "".join(_COMMENT.sub("", text).split())


# Grades, in processes.

_START_SECONDS = 60.0
_LONGEST = 1 << 20  # bytes of a grade
_NAMED = ("name=exercise",)  # files are named for students, as no run may be


def grade_all(
    hand_ins: Sequence[HandIn], jobs: int, seconds: float, exercise: Path | None = None
) -> Generator[tuple[int, GradedHandIn]]:
    """The grade of each hand-in with its place in the sequence, as they are made.

    Args:
        hand_ins: the hand-ins.
        jobs: how many are graded at a time.
        seconds: the time limit for one of them.
        exercise: the file of an exercise, if it is that of no lesson.

    Raises:
        NnrunError: no process can be started.
        OSError: likewise.
    """
    same = _same(hand_ins)
    for place, hand_in in enumerate(hand_ins):
        if hand_in.error:
            yield place, GradedHandIn(hand_in, 0, [], [], hand_in.error, same[place])
    to_grade = [place for place, hand_in in enumerate(hand_ins) if not hand_in.error]
    if not to_grade:
        return
    own = None if exercise is None else str(exercise.absolute())
    names = defaultdict[str, list[str]](list)
    for hand_in in filter(lambda each: each.variant, hand_ins):
        names[str(hand_in.lesson)].append(hand_in.variant)
    with (
        TemporaryDirectory(prefix="nnrun-", ignore_cleanup_errors=True) as folder,
        undone_on_failure(partial(rmtree, folder, ignore_errors=True)),  # by a second signal
        closing(
            _Graders(
                min(jobs, len(to_grade)),
                seconds,
                {"folder": folder, "names": names, "exercise": own},
            )
        ) as graders,
    ):
        for place, reply in graders.replies({place: hand_ins[place] for place in to_grade}):
            owner, lesson = reply.pop("owner", ""), hand_ins[place].lesson
            of_owner = [
                h.student for h in hand_ins if owner and (h.lesson, h.variant) == (lesson, owner)
            ]
            same_as = [*dict.fromkeys([*same[place], *of_owner])]
            yield place, GradedHandIn(hand_ins[place], **reply, same_as=same_as)


class _Grader:
    """A process that grades; `place` is that of the hand-in in work, None while it starts."""

    def __init__(self, setting: Mapping[str, Any]) -> None:
        environment = {**os.environ, **ONE_THREAD}
        environment.pop("NNRUN_PLUGINS", None)  # the parts of lessons are nnrun's own
        self.process, self.connection = child.start(__name__, environment)
        self.connection.send_bytes(json.dumps(setting).encode())
        self.place: int | None = None
        self.is_alone = False
        self.until = monotonic() + _START_SECONDS

    def end(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.wait()


class _Graders:
    """Processes, each with one hand-in at a time; one that takes too long is ended."""

    def __init__(self, jobs: int, seconds: float, setting: Mapping[str, Any]) -> None:
        self._jobs = jobs
        self._seconds = seconds
        self._setting = setting
        self._selector = DefaultSelector()
        self._graders: list[_Grader] = []

    def replies(self, hand_ins: dict[int, HandIn]) -> Iterator[tuple[int, dict[str, Any]]]:
        """What each process says of each hand-in, or why it says nothing."""
        waiting = deque(hand_ins.items())
        while waiting or any(grader.place is not None for grader in self._graders):
            while waiting and len(self._graders) < min(self._jobs, len(waiting) + self._busy()):
                self._start()
            soonest = min(grader.until for grader in self._graders)
            ready = self._selector.select(max(0.0, soonest - monotonic()))
            for grader in [key.data for key, _ in ready]:
                reply = self._receive(grader)
                if grader.place is not None:
                    yield grader.place, reply
                if grader.is_alone or grader not in self._graders:
                    self._remove(grader)
                elif waiting:
                    self._give(grader, *waiting.popleft())
                else:
                    self._remove(grader)
            for grader in [each for each in self._graders if each.until <= monotonic()]:
                self._remove(grader)
                if grader.place is None:
                    raise NnrunError("a process for grading does not start")
                yield grader.place, _refusal(f"grading it takes more than {self._seconds:g} s")

    def close(self) -> None:
        """End all processes at once."""
        for grader in [*self._graders]:
            self._remove(grader)
        self._selector.close()

    def _busy(self) -> int:
        return sum(grader.place is not None for grader in self._graders)

    def _start(self) -> None:
        grader = _Grader(self._setting)
        self._graders.append(grader)
        self._selector.register(grader.connection, EVENT_READ, grader)

    def _give(self, grader: _Grader, place: int, hand_in: HandIn) -> None:
        task = {"file": str(hand_in.file.absolute()), "lesson": hand_in.lesson}
        with suppress(OSError):  # it has ended, which shows when its answer is read
            grader.connection.send_bytes(json.dumps(task).encode())
        grader.place = place
        grader.is_alone = hand_in.lesson == OWN_LAYER
        grader.until = monotonic() + self._seconds

    def _receive(self, grader: _Grader) -> dict[str, Any]:
        try:
            reply: dict[str, Any] = json.loads(grader.connection.recv_bytes(_LONGEST))
        except (EOFError, OSError, ValueError):
            self._remove(grader)
            if grader.place is None:
                raise NnrunError("a process for grading ended as it started") from None
            return _refusal("the process that graded it ended before it was done")
        return reply

    def _remove(self, grader: _Grader) -> None:
        if grader in self._graders:
            self._graders.remove(grader)
            self._selector.unregister(grader.connection)
            grader.end()


def _refusal(error: str) -> dict[str, Any]:
    return {"points": 0, "criteria": [], "missing": [], "error": error}


# What a process does.


def main(word: str) -> None:
    """Grade one hand-in after the other, until the other end of the socket closes."""
    system.ignore_signals()
    connection = Connection(system.receive_socket(word))
    Thread(target=end_at_hangup, args=(connection.fileno(),), daemon=True).start()
    setting = json.loads(connection.recv_bytes())
    os.chdir(setting["folder"])
    exercise = None if setting["exercise"] is None else Path(setting["exercise"])
    _silence()
    gc.enable()
    # The time limit begins behind.
    from nnrun.course.exercises import grade_file, owner_of  # noqa: PLC0415

    connection.send_bytes(b"null")
    with suppress(EOFError, OSError):
        while True:
            task = json.loads(connection.recv_bytes())
            file = Path(task["file"])
            try:
                grade = grade_file(task["lesson"], file, _NAMED, exercise)
            except Exception as error:  # of a hand-in, whatever is in it
                reply = _refusal(_in_a_line(serialize_error(error)[0], file))
            else:
                missing = [
                    {"name": each.check, "says": each.says, "hint": each.detail}
                    for each in grade.findings
                    if not each.passed
                ]
                reply = {"points": grade.points, "criteria": grade.criteria, "missing": missing}
                if not grade.findings[0].passed:
                    names = setting["names"].get(str(task["lesson"]), [])
                    reply["owner"] = owner_of(task["lesson"], file, names, _NAMED)
                reply = _refusal(grade.error) if grade.error else {**reply, "error": ""}
            connection.send_bytes(json.dumps(reply).encode())


def _silence() -> None:
    """What a hand-in prints is nobody's output."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)


def _in_a_line(message: str, file: Path) -> str:
    """An error without the excerpts of the file, whose folder goes without saying."""
    lines = [line for line in message.splitlines() if not line.startswith(" ")]
    return "; ".join(lines).replace(f"{file.parent}{os.sep}", "")
