"""Trackers get what runs say, in order; one that is down or slow costs no run."""

from __future__ import annotations

import threading
import time

import pytest

from nnrun.trackers.feed import Feed


@pytest.fixture
def said():
    return []


def fail(tracker):
    raise ConnectionResetError(104, "Connection reset by peer\nmore")


def test_tasks_come_in_order(said):
    """All of them, in one thread that is not the caller's, and the tracker is closed."""
    seen = []

    class Tracker:
        def close(self):
            seen.append("closed")

    feed = Feed("it", Tracker, said.append)
    for number in range(5):
        feed.send("a/s1", lambda tracker, number=number: seen.append(number))
    feed.send("a/s1", lambda tracker: seen.append(threading.current_thread().name))
    feed.close()
    assert [0, 1, 2, 3, 4, "it", "closed"] == seen
    assert [] == said


def test_a_tracker_that_is_down_is_said_once(said):
    """With the reason on one line; and at the end how many runs it lacks."""

    def opened():
        raise ConnectionRefusedError(111, "Connection refused")

    feed = Feed("MLflow at x", opened, said.append)
    for run in ("a/s1", "a/s1", "a/s2"):
        feed.send(run, lambda tracker: None)
    feed.close()
    assert [
        "MLflow at x: Connection refused; runs are kept without it",
        "MLflow at x lacks 2 runs, or parts of them; the same command sends them",
    ] == said


def test_one_failure_is_no_reason_to_give_up(said):
    """Three in a row are."""
    seen = []

    class Tracker:
        def close(self):
            pass

    feed = Feed("it", Tracker, said.append)
    for number in range(6):
        feed.send(f"a/s{number}", fail if number % 2 else lambda _, n=number: seen.append(n))
    feed.close()
    assert [0, 2, 4] == seen
    assert "it lacks 3 runs" in said[-1]
    feed = Feed("it", Tracker, said.append)
    for number in range(3):
        feed.send(f"a/s{number}", fail)
    feed.send("a/s4", lambda _: seen.append("too late"))
    feed.close()
    assert ([0, 2, 4], 2) == (seen, sum("Connection reset" in text for text in said))
    assert "it lacks 4 runs" in said[-1]


def test_a_tracker_that_does_not_answer_is_waited_for_briefly(said, monkeypatch):
    """No call waits for it but the last one; what it was not sent is lost, and so is the rest."""
    monkeypatch.setattr("nnrun.trackers.feed._ANSWER_SECONDS", 0.2)
    monkeypatch.setattr("nnrun.trackers.feed._MOST_QUEUED", 3)
    answers = threading.Event()
    feed = Feed("it", lambda: None, said.append)
    feed.send("a/s0", lambda tracker: answers.wait(10))
    while not feed._tasks.empty():
        time.sleep(0.001)
    for number in range(1, 6):
        feed.send(f"a/s{number}", lambda tracker: None)
    feed.close()
    answers.set()
    assert "it: there is no answer; runs are kept without it" == said[0]
    assert "it lacks 6 runs" in said[1]
