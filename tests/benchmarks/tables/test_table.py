"""What the tables say follows from the rates that were measured."""

from __future__ import annotations

from tests.benchmarks.tables import table
from tests.benchmarks.works import WORKS


def test_threads_stand_beside_what_the_cores_give():
    """Of one thread, of as many runs at once, of the best peer's; a peer may lack a work."""
    rates = {"alone": 10.0, "two": 15.0, "at once": 20.0, "a": 5.0}
    results = {"W6": rates, "W13": {**rates, "b": 7.5}}
    page = table.threads([WORKS["W6"], WORKS["W13"]], results, 2).splitlines()
    assert page[-2].endswith("| 1.5× | 0.75× | 3× |")
    assert page[-1].endswith("| 1.5× | 0.75× | 2× |")


def test_without_peers_threads_are_held_against_nnrun_alone():
    """No peer is installed on many machines."""
    rates = {"alone": 10.0, "two": 15.0, "at once": 20.0}
    page = table.threads([WORKS["W6"]], {"W6": rates}, 2).splitlines()
    assert page[-1].endswith("| 1.5× | 0.75× |  |")
