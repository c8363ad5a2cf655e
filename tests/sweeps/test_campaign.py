"""Sweeps that are killed at random moments, or run many times at once.

A few moments of each kind, or with `-m campaign` as many as it takes to believe it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal

import pytest

from tests.sweeps.campaign import Campaign, complete_files, kill_group
from tests.sweeps.helpers import (
    BOSTON,
    IRIS,
    children_of,
    in_session,
    large,
    lasting,
    processor_seconds,
    weights_of,
)
from tests.waiting import until

pytestmark = pytest.mark.campaign

GROUP_KILLS = 200 if large() else 2
WORKER_KILLS = 20 if large() else 1
CLIENT_KILLS = 20 if large() else 1
IDENTICAL, TIMES = (16, 10) if large() else (2, 1)


@pytest.fixture
def configs(write):
    """Four configs for five seeds: 20 runs of some 30 ms."""
    for number, text in enumerate((IRIS, BOSTON, lasting(800), lasting(1500))):
        write(f"config{number}", text)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_group_goes_on(shell, configs, jobs):
    """SIGKILL to the client and its workers: the same command finishes the 20 runs."""
    campaign = Campaign(shell, ["sweep", "configs", "--seeds", 5, "-j", jobs], seed=jobs)
    for moment in range(GROUP_KILLS // 2) if large() else [jobs - 1]:
        process, root = campaign.start(moment)
        kill_group(process)
        campaign.finish(root)


def test_a_killed_client_leaves_no_worker(shell, configs):
    """SIGKILL to the client alone: its workers end by themselves, hardly computing any more."""
    campaign = Campaign(shell, ["sweep", "configs", "--seeds", 5, "-j", 2], seed=3)
    for moment in range(CLIENT_KILLS):
        process, root = campaign.start(moment)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        most = processor_seconds(process.pid) + 2
        until(lambda pid=process.pid, most=most: is_over(pid, most))
        campaign.finish(root)


def is_over(pid, most):
    """Whether nothing is left of a session, which may have computed for this many seconds."""
    assert processor_seconds(pid) < most
    return not in_session(pid)


def test_a_killed_worker_is_replaced(shell, configs):
    """SIGKILL to one worker of two: the sweep itself finishes the 20 runs."""
    campaign = Campaign(shell, ["sweep", "configs", "--seeds", 5, "-j", 2], seed=4)
    killed = 0
    for moment in itertools.count(0 if large() else 1):  # of the odd ones, after its first result
        process, root = campaign.start(moment)
        for pid in children_of(process.pid)[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        _, err = shell.end(process)
        assert 0 == process.returncode, err
        campaign.hold(root)
        if killed == WORKER_KILLS:  # at other moments there was none yet, or none any more
            break


def test_identical_sweeps_share_the_work(shell, configs, tmp_path):
    """Started at once, they train each run once between them, and each shows all of them."""
    for time in range(TIMES):
        words = ["sweep", "configs", "--seeds", 5, "--json", "--results", f"r{time}"]
        sweeps = [shell.start(*words, "-j", 2 - time % 2) for _ in range(IDENTICAL)]
        ends = [shell.end(sweep) for sweep in sweeps]
        assert [0] * IDENTICAL == [sweep.returncode for sweep in sweeps], ends[0][1]
        data = [json.loads(out) for out, _ in ends]
        assert 20 == sum(one["trained"] for one in data)
        assert [20] * IDENTICAL == [one["trained"] + one["complete_before"] for one in data]
        boards = [[group["rows"] for group in one["leaderboard"]["groups"]] for one in data]
        assert all(boards[0] == board for board in boards)
        root = tmp_path / f"r{time}"
        assert 20 == len(weights_of(root))
        assert 100 == len(complete_files(root))
