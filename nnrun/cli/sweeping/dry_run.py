"""`nnrun sweep --dry-run`: the plan, and how long the rest of it takes."""

from __future__ import annotations

from nnrun.cli.output import Output
from nnrun.cli.sweeping.request import Request
from nnrun.reports.terminal.plan import Outlook, plan_table
from nnrun.runs.storage.reading import damaged
from nnrun.runs.storage.store import Store
from nnrun.sweeps.choose import workers_for
from nnrun.sweeps.planning.plan import Plan


def show_plan(plan: Plan, store: Store, output: Output, asked: Request) -> None:
    """Show the plan of a sweep, with the runs that are complete."""
    here = {variant.number: [*runs] for _, variant, runs in plan.portions()}
    counts, complete, seconds = [], [], 0.0
    for variant in plan.variants:  # each pass over them makes them anew
        planned = here.get(variant.number, [])
        counts.append(len(planned))
        runs = [] if asked.force else planned
        read = (store.run(variant.name, one.run_id).read() for one in runs)
        found = [run for run in read if run is not None]
        for run in found:
            if run.is_damaged:
                output.note(damaged(store.folder(run.name, run.run_id), run.problem))
        complete.append(sum(run.complete for run in found))
        left = len(planned) - sum(run.complete or run.is_damaged for run in found)
        seconds += variant.estimate.seconds * left
    workers = 1 if asked.dask else workers_for(plan, asked.jobs)
    outlook = Outlook(plan, counts, complete, workers, seconds / workers)
    if output.json:
        output.data(outlook.to_dict())
    else:
        output.show(plan_table(outlook))
