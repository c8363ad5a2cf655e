"""Boards over the runs of all shards of a sweep that are in one results folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nnrun.runs.catalog.summarize import summary_of
from nnrun.runs.record import RunRecord, compare_published
from nnrun.runs.storage.reading import StoredRun, read_run
from nnrun.runs.storage.store import Store
from nnrun.sweeps.board.leaderboard import groups_of, key_of, make_leaderboard, trained
from nnrun.sweeps.board.rows import Leaderboard, Unfinished, with_margin
from nnrun.sweeps.board.stored import ENDED, dataset_of, variant_of
from nnrun.sweeps.planning.plan import PlannedRun, Shard
from nnrun.sweeps.progress import SweepProgress


def gathered(progress: SweepProgress, store: Store) -> SweepProgress:
    """The progress of the whole sweep: that of a shard, and the stored runs of the others."""
    whole = progress.of_whole_sweep()
    known = whole.ended_places()
    for _, _, runs in whole.plan.portions():
        for run in runs:
            if run.place in known:
                continue
            if run.variant.refused:  # by whichever shard it is in
                whole.fail(run, run.variant.refused)
                continue
            record = _stored(run, store)
            if record is None:
                continue
            if record.status == "failed":
                whole.fail(run, record.error or record.status)
                continue
            published = compare_published(run.variant.published, record.metrics)
            whole.add(run, replace(record, published=published), trained=False)
    return whole


def gathered_leaderboard(whole: SweepProgress, shard: Shard, command: str) -> Leaderboard:
    """The board of a whole sweep after a shard; while runs are missing, of those that there are."""
    unfinished = Unfinished.of(whole, shard)
    if unfinished is None:
        return make_leaderboard(whole, command)
    failed = whole.failed_runs()
    members = []
    variants = []
    for variant, scores in whole.by_variant():
        variants.append(variant)
        ended = len(scores) + failed[variant.number]
        if ended:
            members.append((replace(trained(variant, scores), ended=ended), scores))
    return Leaderboard(command, groups_of(members), key_of(variants), unfinished)


def made_again(board: Leaderboard, root: Path) -> Leaderboard:
    """An unfinished board, from the runs that are in the results folder now."""
    if board.unfinished is None:
        return board
    members, ended = [], set()
    for number, row in enumerate(board.unfinished.rows):
        found = [read_run(root / row.name / run_id, placed=True) for run_id in row.runs]
        records = (record for run in found if (record := _ended(run)) is not None)
        runs = sorted(map(summary_of, records), key=lambda run: run.replicate.order)
        ended |= {run.label for run in runs}
        if runs:
            variant = variant_of(number, row.choice, runs, dataset_of(runs[-1].settings.plain))
            members.append((variant, variant.scores))
    left = board.unfinished.without(ended)
    margin = next((group.margin for group in board.groups), None)
    again = Leaderboard(board.command, groups_of(members), board.key, left)
    notes = {group.dataset: group.data_note for group in board.groups}
    return with_margin(again.with_notes(notes), margin)


def _stored(run: PlannedRun, store: Store) -> RunRecord | None:
    """The record of a run that has ended; it may lack config and network."""
    name, run_id = run.variant.name, run.run_id
    return store.index.find(name, run_id) or _ended(store.run(name, run_id).read())


def _ended(run: StoredRun | None) -> RunRecord | None:
    """The record of a run that has ended and is not damaged."""
    if run is None or run.record is None or run.problem is not None:
        return None
    return run.record if run.record.status in ENDED else None
