"""The options that commands share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from nnrun.cli import arguments as completion
from nnrun.cli.output import Output
from nnrun.config.names import CHOOSING
from nnrun.errors import UsageError
from nnrun.metrics.table import LOSS, find

if TYPE_CHECKING:
    from nnrun.sweeps.planning.plan import Shard

F = TypeVar("F", bound=Callable[..., Any])


def _finite(_ctx: click.Context, _param: click.Parameter, margin: float | None) -> float | None:
    if margin is not None and not isfinite(margin):
        raise UsageError(f"--margin {margin:g}: it must be a finite number")
    return margin


def _sets(attribute: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def callback(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value and isinstance(ctx.obj, Output):
            setattr(ctx.obj, attribute, True)

    return callback


def _flag(*names: str, attribute: str, text: str) -> Callable[[F], F]:
    """A flag of the output; eager, so that errors in other options are printed accordingly."""
    return click.option(
        *names,
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_sets(attribute),
        help=text,
    )


json_option = _flag("--json", attribute="json", text="Print data as JSON.")
wide_option = _flag("--wide", attribute="wide", text="Show all columns, however wide.")
quiet_option = _flag("-q", "--quiet", attribute="quiet", text="Print errors only.")
debug_option = _flag("--debug", attribute="debug", text="Show the traceback of errors.")


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`, `--quiet` and `--debug`; the output that they set is the first argument."""
    return json_option(quiet_option(debug_option(click.pass_obj(command))))


def file_option(text: str, *, required: bool = False) -> Callable[[F], F]:
    """`-o FILE`, as the argument `file`."""
    return click.option(
        *("-o", "--output", "file"),
        type=click.Path(path_type=Path),
        metavar="FILE",
        required=required,
        help=text,
    )


class Folder(click.Path):
    """A folder that exists or can be created; an empty text is refused, as of an unset variable."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value):
            self.fail("it is empty; '.' is the current folder", param, ctx)
        folder = cast(Path, super().convert(value, param, ctx))
        # click lets devices, FIFOs and places in a file pass.
        there = next((p for p in (folder, *folder.parents) if os.path.exists(p)), Path())
        if not there.is_dir():
            self.fail(f"'{there}' is no folder; name one, or a new one", param, ctx)
        return folder


results_option = click.option(
    "--results",
    envvar="NNRUN_RESULTS",
    default="results",
    show_default=True,
    show_envvar=True,
    metavar="DIR",
    type=Folder(),
    help="Where runs are kept.",
)
iterations_option = click.option(
    "--iterations",
    type=click.IntRange(min=1),
    metavar="N",
    help="Train for N iterations instead of what the config says: a smoke run.",
)
threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    metavar="N",
    help="Let each run use N threads, where that helps; by default its share of the cores. No bit "
    "depends on it.",
)
force_option = click.option(
    "--force", is_flag=True, help="Train again what has been trained already."
)
by_option = click.option(
    "--by",
    type=click.Choice(CHOOSING[:2]),
    help="The split by which NAME/best is chosen; by default validation, or test where there is no "
    "validation split. What is chosen by test has a test result that is too good.",
)


def jobs_option(text: str) -> Callable[[F], F]:
    """`-j N`, as the argument `jobs`."""
    return click.option(*("-j", "--jobs"), type=click.IntRange(min=1), metavar="N", help=text)


train_jobs_option = jobs_option(
    "Train N runs at a time; by default as many as there are cores, if that saves time."
)
dask_option = click.option(
    "--dask",
    metavar="ADDRESS",
    help="Train on the cluster of this Dask scheduler. Scheduler and workers can run code as you: "
    "use tls://… wherever others can reach them.",
)


def _shard(_ctx: click.Context, _param: click.Parameter, text: str) -> Shard:
    from nnrun.sweeps.planning.plan import Shard  # noqa: PLC0415  # for few commands

    return Shard.parse(text)


shard_option = click.option(
    "--shard",
    default="1/1",
    metavar="K/N",
    callback=_shard,
    help="Train the K-th of N parts of the runs, as a job of an array; their results folders can "
    "be one, or are copied together.",
)


def _metric(_ctx: click.Context, _param: click.Parameter, name: str | None) -> str | None:
    if name is None or name == LOSS or find(name) is not None:
        return name
    from nnrun.config.schema.training import MetricName  # noqa: PLC0415  # slow to import

    raise UsageError(f"--order-by: '{name}' is not a metric{MetricName(extra=(LOSS,)).hint(name)}")


order_by_option = click.option(
    "--order-by",
    callback=_metric,
    metavar="METRIC",
    help="The metric that leaderboards are ordered by; by default that of the runs: accuracy, mse, "
    "or what sweep.order_by of their config says.",
)
margin_option = click.option(
    "--margin",
    type=click.FloatRange(min=0),
    callback=_finite,
    metavar="X",
    help="A difference that does not matter, in the units of the metric: name the rows that are as "
    "good as the best to within X, and the cheapest of them.",
)


def training_options(command: F) -> F:
    """`--plugin`, `--no-gradient-check`, and `--mlflow` and `--tensorboard` as `trackers`."""

    @wraps(command)
    def call(*args: Any, mlflow: str | None, tensorboard: Path | None, **given: Any) -> Any:
        from nnrun.trackers.tracking import Trackers  # noqa: PLC0415  # for few commands

        return command(*args, trackers=Trackers(mlflow, tensorboard), **given)

    options = (
        click.option(
            "--mlflow",
            metavar="URI",
            help="Send runs to the MLflow server at this address, such as http://127.0.0.1:5000.",
        ),
        click.option(
            "--tensorboard",
            type=Folder(),
            metavar="DIR",
            help="Write runs for TensorBoard into this folder: `tensorboard --logdir DIR`.",
        ),
    )
    for option in reversed(options):
        call = option(call)
    return cast(F, plugin_option(gradient_check_option(call)))


def _give(_ctx: click.Context, _param: click.Parameter, files: tuple[Path, ...]) -> None:
    if files:
        from nnrun.runs.storage.data_place import give  # noqa: PLC0415  # slow to import

        give(files)


data_option = click.option(
    "--data",
    "files",
    type=click.Path(path_type=Path),
    metavar="FILE",
    multiple=True,
    expose_value=False,
    callback=_give,
    help="Where the data of stored runs are now; files are known by their SHA-256.",
)


def _activate(ctx: click.Context, _param: click.Parameter, files: tuple[Path, ...]) -> None:
    ctx.meta["nnrun.plugins"] = files
    # Commands that only list runs start faster without the rest.
    from nnrun.plugins.installed import packages  # noqa: PLC0415

    if files or packages() or "nnrun.plugins.loading" in sys.modules:
        from nnrun.plugins.loading import activate  # noqa: PLC0415  # as above

        activate(files)


plugin_option = click.option(
    "--plugin",
    "plugins",
    envvar="NNRUN_PLUGINS",
    type=click.Path(path_type=Path),
    metavar="FILE.py",
    multiple=True,
    is_eager=True,
    expose_value=False,
    callback=_activate,
    help="Run a Python file that registers layers, losses or other parts, so that configs can name "
    "them; also NNRUN_PLUGINS. `nnrun help plugins` shows how.",
)


def results_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--results`, `--plugin` and those of the output."""
    return results_option(plugin_option(output_options(command)))


def listing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same for commands that print what they are asked for, without `--quiet`."""
    shown = json_option(debug_option(click.pass_obj(command)))
    return results_option(plugin_option(shown))


def _unchecked(_ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        from nnrun.plugins.loading import leave_unchecked  # noqa: PLC0415  # slow to import

        leave_unchecked()


gradient_check_option = click.option(
    "--no-gradient-check",
    is_flag=True,
    expose_value=False,
    callback=_unchecked,
    help="Train with a plugin's parts without comparing their gradients with numerical ones first.",
)


def run_argument(*, many: bool = False) -> Callable[[F], F]:
    """RUN, or several, completed by the shell."""
    if many:
        return click.argument("runs", nargs=-1, metavar="[RUN]...", shell_complete=completion.runs)
    return click.argument("run", shell_complete=completion.runs)
