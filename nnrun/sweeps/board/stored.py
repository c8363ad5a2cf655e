"""Stored runs, put together again as a sweep would have them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from nnrun.config.settings import BESIDE, canonical_json, choice_of, differing, setting_of
from nnrun.errors import UsageError
from nnrun.metrics.table import find
from nnrun.runs.catalog.index import look
from nnrun.runs.catalog.select import lies_in
from nnrun.runs.catalog.summarize import read_summary, settings_of, summary_of
from nnrun.runs.catalog.summary import JsonMapping, RunSummary
from nnrun.runs.record import RunRecord, compare_published
from nnrun.runs.storage.reading import StoredRun, read_run
from nnrun.runs.storage.store import Store
from nnrun.runs.storage.sweep_progress import ids_in
from nnrun.sweeps.active_runs import SweepProgress
from nnrun.sweeps.board.leaderboard import groups_of, key_of, kind_of, make_leaderboard, trained
from nnrun.sweeps.board.rows import (
    Group,
    Leaderboard,
    Row,
    Unfinished,
    of_plan,
    with_margin,
    within,
)
from nnrun.sweeps.board.verdicts import PairTest, pair_test
from nnrun.sweeps.planning.plan import Comparable, PlannedRun, Shard
from nnrun.sweeps.planning.variants import division_of, is_drawn, mean_rows, overlap_of, split_by_of

# Runs that are stored, put together again as a sweep would have them: by config, over seeds.

ENDED = ("completed", "diverged", "stopped", "failed")
_NO_METRICS: Mapping[str, float] = {}
Divided = Callable[..., Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class StoredVariant(Comparable):
    """One config with its stored `runs`, by seed and fold; the last of them says most of it."""

    runs: Sequence[RunSummary]

    @cached_property
    def planned(self) -> int:
        """The number of runs that have ended."""
        return sum(run.status in ENDED for run in self.runs)

    @property
    def parameters(self) -> int:
        return self.runs[-1].parameters

    @property
    def scores(self) -> list[RunSummary]:
        """The numbers of the runs that were trained, as far as they were meant to be."""
        return [run for run in self.runs if run.status in ENDED[:3]]


@dataclass(frozen=True)
class Standing:
    """A row of a leaderboard, with the runs that it summarizes."""

    row: Row
    variant: StoredVariant
    scores: Sequence[RunSummary]


@dataclass(frozen=True)
class StoredBoard:
    """Rows that can be compared, the best first.

    Args:
        group: all that is said of them.
        standings: the rows with their runs.
    """

    group: Group
    standings: Sequence[Standing]


def stored_boards(
    variants: Iterable[StoredVariant], margin: float | None = None, most: int | None = None
) -> list[StoredBoard]:
    """A leaderboard for each data set and kind of split, of configs with runs that have ended.

    `margin` is a difference that does not matter, in the units of the metric; `most` of the first
    rows of each have all numbers, by default all.
    """
    members = [(variant, variant.scores) for variant in variants if variant.planned]
    known = {(kind_of(v), v.name, repr(v.choice)): (v, scores) for v, scores in members}
    kinds = dict.fromkeys(kind for kind, _, _ in known)
    groups = [within(group, margin) for group in groups_of([*known.values()], most=most)]
    return [
        StoredBoard(
            group, [Standing(row, *known[kind, row.name, repr(row.choice)]) for row in group.rows]
        )
        for kind, group in zip(kinds, groups, strict=True)
    ]


def comparison_board(
    records: Sequence[RunRecord],
    folders: Sequence[Path],
    results: Path,
    command: str,
    margin: float | None = None,
    order_by: str | None = None,
) -> tuple[Leaderboard | None, PairTest | None]:
    """The configs of these runs over all seeds stored beside them, and the test of two configs.

    Without several seeds there is no leaderboard; without two configs on the same data, no test.
    The leaderboard has the command as its source; `margin` is a difference that does not matter, in
    the units of the metric; `order_by` the metric, by default that of the runs.

    Raises: UsageError if no run has the metric.
    """
    wanted = [settings_of(record) for record in records]
    usual = [*wanted[0].plain]
    texts = {_in_order(settings, usual) for settings in wanted}
    found = [
        run
        for parent in dict.fromkeys(Path(os.path.abspath(folder)).parent for folder in folders)
        for run in _complete(parent, results, order_by)
        if _in_order(run.settings, usual) in texts
    ]
    members = [
        (variant, variant.scores) for variant in stored_variants(ordered_by(found, order_by))
    ]
    several = len(members) > 1 and any(variant.planned > 1 for variant, _ in members)
    if not several:
        return None, None
    notes = {str(r.dataset["name"]): str(r.dataset.get("note") or "") for r in records}
    board = with_margin(Leaderboard(command, groups_of(members)).with_notes(notes), margin)
    if len(members) != 2 or len(board.groups) != 1:
        return board, None
    ordered = sorted(members, key=lambda member: wanted.index(member[0].runs[0].settings))
    return board, pair_test(ordered[0], ordered[1], board.groups[0].ordered_by)


def _complete(folder: Path, results: Path, order_by: str | None) -> list[RunSummary]:
    """The runs of an experiment that reached their end, or diverged."""
    if lies_in(folder / "run", results):
        rows = look(results, [folder.name], boards=True, order_by=order_by)
    else:
        ids = ids_in(folder.parent, folder.name)
        rows = [*filter(None, (read_summary(folder / run_id, order_by) for run_id in ids))]
    # Without the other metrics, which take more memory than the rest.
    return [
        run._replace(metrics=_NO_METRICS)
        for run in rows
        if run.is_sound and run.status in ENDED[:2]
    ]


def ordered_by(runs: Iterable[RunSummary], metric: str | None) -> list[RunSummary]:
    """These runs, made by this metric.

    Raises: UsageError if none of them has it.
    """
    found = list(runs)
    if metric is not None and all(run.metric != metric for run in found):
        advice = "add it to `metrics` of the config and train again"
        wanted, tasks = find(metric), {m.task for run in found if (m := find(run.metric or ""))}
        if wanted and tasks and wanted.task not in tasks:
            advice = f"it is for {wanted.task}, and they are {tasks.pop()}"
        raise UsageError(f"--order-by {metric}: no run here has it; {advice}")
    return found


def stored_variants(
    runs: Iterable[RunSummary], chosen: Mapping[tuple[str, str], dict[str, Any]] | None = None
) -> list[StoredVariant]:
    """Runs by config, in the order of names; of equal seeds, as of another time, all are kept.

    `chosen` has the settings by which a search names a run, by its name and id; by default those in
    which its config differs.
    """
    known = chosen or {}
    ordered = sorted(runs, key=lambda run: (run.name, *run.replicate.order, run.run_id))
    canonical: dict[str, str] = {}  # of texts that differ in order alone
    usual = [*ordered[0].settings.plain] if ordered else []
    by_config: dict[tuple[str, str], list[RunSummary]] = {}
    for run in ordered:
        text = run.settings.text
        if text not in canonical:
            canonical[text] = _in_order(run.settings, usual)
        by_config.setdefault((run.name, canonical[text]), []).append(run)
    settings = [found[0].settings.plain for found in by_config.values()]
    by_name: dict[str, list[dict[str, Any]]] = {}
    for (name, _), own in zip(by_config, settings, strict=True):
        by_name.setdefault(name, []).append(own)
    varied = {name: differing(found) for name, found in by_name.items()}
    together = zip(by_config.items(), settings, strict=True)
    variants, blocks = [], dict[tuple[str, bool], Divided]()
    for number, (((name, _), found), own) in enumerate(together):
        choice = known.get((name, found[0].run_id))
        choice = choice or choice_of(own, [*varied[name], BESIDE])
        if any(key.partition(".")[0] == "dataset" for key in varied[name]):
            block = dataset_of(own)
        else:  # models have fewer keys
            kind = name, BESIDE in own
            block = blocks[kind] = blocks.get(kind) or dataset_of(own)
        variants.append(variant_of(number, choice, found, block))
    return variants


def _in_order(settings: JsonMapping, keys: Sequence[str]) -> str:
    """A text that is the same for the same settings in any order; `keys` are usual ones in order.

    Nearly all runs of an experiment have the same keys in the same order: their text stays.
    """
    plain = settings.plain
    if [*plain] == keys:
        return settings.text
    if plain.keys() == {*keys}:
        return json.dumps({key: plain[key] for key in keys})
    return canonical_json(plain)


def dataset_of(settings: Mapping[str, Any]) -> Divided:
    """What follows for a config from its block `dataset` and the sizes of splits of its runs."""
    block = setting_of(settings, "dataset") or {}

    @cache  # most configs of an experiment have the same sizes
    def fields(*sizes: Sequence[int]) -> Mapping[str, Any]:
        rows = mean_rows(sizes)
        return {
            "target": (block.get("columns") or {}).get("target"),
            "splits": tuple(rows),
            "division": division_of(block),
            "rows": rows,
            "overlap": overlap_of(rows, block),
            "drawn": is_drawn(rows, block),
            "folds": block.get("folds"),
            "split_by": split_by_of(block),
        }

    return fields


def variant_of(
    number: int, choice: dict[str, Any], runs: Sequence[RunSummary], divided: Divided
) -> StoredVariant:
    """A config with these runs, which are ordered by seed and fold."""
    run = runs[-1]
    completed = [each for each in runs if each.status == "completed"]
    sizes = [each.rows for each in completed or runs]
    return StoredVariant(
        number=number,
        name=run.name,
        choice=choice,
        runs=runs,
        dataset=run.dataset,
        sha256=run.sha256,
        metric=run.metric or "",
        larger_is_better=run.larger_is_better,
        published=dict(run.published),
        **divided(*(sizes[:1] if sizes.count(sizes[0]) == len(sizes) else sizes)),
    )


# Boards over the runs of all shards of a sweep that are in one results folder.


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
    again = of_plan(again, board.planned, members)
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
