"""Events of runs, and several listeners."""

from __future__ import annotations

import pytest

from nnrun.runs.events import Listener, Listeners
from nnrun.runs.lifecycle import train

EVENTS = [name for name in vars(Listener) if callable(getattr(Listener, name)) and name[0] != "_"]


@pytest.mark.parametrize("event", EVENTS)
def test_each_listener_gets_each_event(event):
    """In their order, also after one of them has asked for a stop."""
    calls = []

    def called(name):
        return Listener(**{event: lambda *words: calls.append((name, *words)) or True})

    assert getattr(Listeners(called("first"), called("second")), event)("words") is True
    assert [("first", "words"), ("second", "words")] == calls


@pytest.mark.parametrize("switch", ["follows", "decides"])
def test_listeners_want_what_one_of_them_wants(switch):
    """Evaluations are sent, and waited for, where one listener needs them."""
    assert not getattr(Listeners(Listener(), Listener()), switch)
    assert getattr(Listeners(Listener(), Listener(**{switch: True})), switch)


def test_events_of_a_run_come_in_their_order(prepared):
    """Its start, an evaluation after the progress that it belongs to, and that it is saved."""
    calls = []
    names = ("started", "progressed", "evaluated", "saved")
    listener = Listener(
        decides=True, **{name: lambda *_, name=name: calls.append(name) for name in names}
    )
    train(prepared(), None, listener)
    assert ["started", "progressed"] == calls[:2]
    assert {"progressed"} == {calls[at - 1] for at, name in enumerate(calls) if name == "evaluated"}
    assert ["evaluated", "saved"] == calls[-2:]


def test_a_run_is_saved_each_time_that_it_is_asked_for(prepared, store):
    """A tracker hears of a run that was complete already, as of one that was trained."""
    outcomes = []
    listener = Listener(saved=lambda run, outcome: outcomes.append(outcome.trained))
    for _ in range(2):
        train(prepared(), store, listener)
    assert [True, False] == outcomes
