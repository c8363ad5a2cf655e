"""The leaderboard of the page."""

from __future__ import annotations

from nnrun.reports.board_notes import choice_notes
from nnrun.sweeps.board.leaderboard import make_leaderboard
from tests.sweeps.board.boards import named, progress, score


def test_models_beside_a_network_are_named_as_their_rows_are():
    """Without the settings that tell no rows apart, and the network of the note not twice."""
    choices = {"network.depth": 3}, {"beside": "forest", "dataset.hide_test": False}
    members = [
        (named("a", choice=choice), [score(s, value + s % 2 / 50) for s in range(3)])
        for choice, value in zip(choices, (0.9, 0.8), strict=True)
    ]
    (group,) = make_leaderboard(progress(*members), "").groups
    lines = choice_notes(group, several=False)
    (note,) = (line for line in lines if line.startswith("Beside"))
    assert note.startswith("Beside the best network, a: forest is worse by ")
