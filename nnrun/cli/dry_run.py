"""`nnrun sweep --dry-run`: the plan, and how long the rest of it takes."""

from __future__ import annotations

from nnrun.cli.output import Output
from nnrun.cli.training import Request
from nnrun.errors import NnrunError, first_of
from nnrun.reports.live.work import Checks
from nnrun.reports.numbers import plural
from nnrun.reports.shown import shown
from nnrun.reports.terminal.plan import Outlook, plan_table
from nnrun.runs.storage.reading import damaged
from nnrun.runs.storage.store import Store
from nnrun.sweeps.planning.plan import Plan, Variant
from nnrun.sweeps.sweep import workers_for
from nnrun.sweeps.workers.job import NOT_IN_CODE

_NOT_IN_CODE = {f"training.{key}" for key in NOT_IN_CODE}


def show_plan(plan: Plan, store: Store, output: Output, asked: Request) -> None:
    """Show the plan of a sweep, with the runs that are complete.

    Raises:
        NnrunError: the values of some settings contradict each other.
    """
    # A look for each run would take longer than making the plan.
    begun = {} if asked.force else {name: store.begun(name) for name in plan.names}
    rows, seconds, compiling, refused = [], 0.0, dict[str, float](), dict[int, str]()
    with shown(Checks(), output) as looked:
        for _, variant, planned in plan.portions(least=0):  # another pass would make them anew
            name, runs = variant.name, [run.run_id for run in planned]
            there = [run_id for run_id in runs if run_id in begun.get(name, ())]
            read = (store.run(name, run_id).read() for run_id in there)
            found = [run for run in read if run is not None]
            wrong = [run for run in found if run.is_damaged]
            complete = sum(run.complete for run in found)
            rows.append((variant.number, len(runs), complete, wrong))
            left = len(runs) - sum(run.complete or run.is_damaged for run in found)
            if variant.refused:
                refused[variant.number] = f"  {variant.label}: {variant.refused}"
            seconds += variant.estimate.seconds * left
            if runs and (most := variant.estimate.compiling):
                code = _code(variant)  # which a complete run has put into the cache
                compiling[code] = 0.0 if complete else min(compiling.get(code, most), most)
            looked(len(plan.variants))
    rows.sort()  # numbers rise in the order of the plan
    for run in (run for *_, wrong in rows for run in wrong):
        output.note(damaged(store.folder(run.name, run.run_id), run.problem))
    workers = 1 if asked.dask else workers_for(plan, asked.jobs)
    counts, completes = [row[1] for row in rows], [row[2] for row in rows]
    times = seconds / workers, sum(compiling.values()) / workers
    outlook = Outlook(plan, counts, completes, workers, *times)
    if output.json:
        output.data(outlook.to_dict())
    else:
        output.show(plan_table(outlook))
    if refused:
        lines = first_of([refused[number] for number in sorted(refused)])
        these = plural(len(refused), "setting")
        raise NnrunError("\n".join([f"{these} cannot be trained, and the others can", *lines]))


def _code(variant: Variant) -> str:
    """The same for variants of a config that share compiled code."""
    choice = variant.choice.items()
    own = [(k, v) for k, v in choice if k not in _NOT_IN_CODE or isinstance(v, dict)]
    return repr((variant.file, own))
