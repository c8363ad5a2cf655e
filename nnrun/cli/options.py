"""Options and arguments that commands share: overrides `key=value`, files, completion."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.core import ParameterSource

from nnrun.cli import COMPLETE
from nnrun.cli.output import Output
from nnrun.config.files import SUFFIXES
from nnrun.config.names import CHOOSING
from nnrun.data.readers.opening import refuse_fifo
from nnrun.errors import UsageError, clipped
from nnrun.metrics.table import LOSS, find
from nnrun.reports.commands import command_line

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from nnrun.sweeps.planning.plan import Shard


# Arguments of commands: paths and `key=value` overrides, output files, completion in a shell.

_ITEM = re.compile(r"([^=]+)=(\w{2,}):([^:]+)")


def split_arguments(arguments: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The paths among the arguments, and the overrides after them.

    Raises:
        click.UsageError: a path comes after an override, or is empty, or there is none; or the
            shell split an override.
    """
    refuse_split_overrides(arguments)
    paths: list[Path] = []
    overrides: list[str] = []
    for argument in arguments:
        if _is_override(argument):
            overrides.append(argument)
        elif overrides:
            message = f"argument '{argument}': paths come before overrides such as {overrides[0]}"
            raise click.UsageError(message)
        elif not argument:
            raise click.UsageError("a path is empty; '.' is the current folder")
        else:
            paths.append(Path(argument))
    if not paths:
        raise click.UsageError("a config file or a folder of them is needed before the overrides")
    return paths, overrides


def refuse_split_overrides(arguments: Sequence[str]) -> None:
    """Refuse an override that the shell split at its blanks, as in `key={type: adam}` unquoted, or
    at its braces.

    Raises:
        click.UsageError: there is one; the message has it with quotes.
    """
    _refuse_expanded(arguments)
    for start, argument in enumerate(arguments):
        if not _is_override(argument):
            continue
        whole = argument
        for word in arguments[start + 1 :]:
            if _is_override(word) or not (_goes_on(whole) or word.startswith(",")):
                break
            whole = f"{whole} {word}"
        if whole != argument:
            raise click.UsageError(
                f"argument '{clipped(argument)}': the shell split it at its blanks; "
                f"put it in quotes: {shlex.quote(whole)}"
            )


def _refuse_expanded(arguments: Sequence[str]) -> None:
    """Refuse what bash makes of `key={type:adam,beta1:0.8}` unquoted: an override for each item."""
    items: dict[str, list[str]] = {}
    for argument in arguments:
        if item := _ITEM.fullmatch(argument):
            items.setdefault(item[1], []).append(f"{item[2]}: {item[3]}")
    for key, values in items.items():
        if len(values) > 1:
            whole = shlex.quote(f"{key}={{{', '.join(values)}}}")
            raise click.UsageError(
                f"argument '{clipped(key)}': the shell took its braces apart; "
                f"put it in quotes: {whole}"
            )


def _goes_on(text: str) -> bool:
    """Whether the start of an override ends within brackets or before a value."""
    opened = sum(map(text.count, "[{")) - sum(map(text.count, "]}"))
    return opened > 0 or text.endswith((",", "="))


def _is_override(argument: str) -> bool:
    """Whether it is `key=value`; a config whose name has an equals sign is still a config."""
    return "=" in argument and not (argument.endswith(SUFFIXES) and Path(argument).is_file())


def check_target(file: Path | None, source: Path | None = None, option: str = "-o") -> None:
    """Check before all work that a file, if one is named, can be written, and is not its source.

    Raises:
        UsageError: it is a folder, in none, a FIFO, or the source itself.
    """
    if file is None:
        return
    if file.is_dir():
        raise UsageError(f"{option} {file}: is a folder; name a file in it")
    check_parent(file, option)
    refuse_fifo(file, option)
    if source is not None and file.is_file() and source.is_file() and file.samefile(source):
        raise UsageError(f"{option} {file}: is the input itself; name another file")


def check_parent(target: Path, option: str = "-o") -> None:
    """Check that the folder around a file or folder to write exists.

    Raises:
        UsageError: it does not; creating it would turn a typing error into a folder.
    """
    folder = target.parent
    if not folder.is_dir():
        wrong = f"{folder} is no folder" if folder.exists() else f"there is no folder {folder}"
        makes = "" if folder.exists() else f"; mkdir -p {shlex.quote(str(folder))} makes it"
        raise UsageError(f"{option} {target}: {wrong}{makes}")


def command_again(**changes: object) -> str:
    """The running command for the shell, with other values for some parameters; None omits one."""
    context = click.get_current_context()
    arguments: list[str] = []
    options: dict[str, object] = {}
    for parameter in context.command.params:
        name = str(parameter.name)
        # Plugins are loaded as they are read, and no parameter of the command.
        value = changes.get(name, context.params.get(name, context.meta.get(f"nnrun.{name}")))
        if isinstance(parameter, click.Argument):
            arguments += map(str, value) if isinstance(value, list | tuple) else [str(value)]
        elif name in changes or context.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            options[parameter.opts[-1]] = None if name == "results" else value
    return command_line(str(context.info_name), arguments, context.params["results"], options)


# What the shell completes: configs, and runs, by name, and by name and id.

_VALUES = [
    f"{shell}_{what}" for what in ("source", "complete") for shell in ("bash", "zsh", "fish")
]


def answer(group: click.Group, environment: Mapping[str, str]) -> int:
    """Print what a shell asks for: its function, or what completes a line; return the exit code.

    Raises:
        UsageError: the variable has another value, or there is no line to complete.
    """
    from click.shell_completion import shell_complete  # noqa: PLC0415  # for shells only

    value = environment[COMPLETE]
    if value not in _VALUES:
        raise UsageError(f"{COMPLETE}={value}: this is none of {', '.join(_VALUES)}")
    index = environment.get("COMP_CWORD")
    complete = index is not None and (value.startswith("fish") or index.isdecimal())
    if value.endswith("complete") and not (complete and "COMP_WORDS" in environment):
        raise UsageError(
            f"{COMPLETE}={value}: the shell that asks sets COMP_WORDS and COMP_CWORD as well; "
            f"in its settings, write {value.replace('complete', 'source')}"
        )
    return shell_complete(group, {}, "nnrun", COMPLETE, value)


def files(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Files and folders, as the shell completes them: configs, or data."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415  # for shells only

    return [CompletionItem(incomplete, type="file")]


def files_and_runs(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Runs whose names begin like that; where there are none, files."""
    named = [item for item in runs(ctx, parameter, incomplete) if incomplete and item.type != "dir"]
    return named or files(ctx, parameter, incomplete)


def runs(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Runs, as commands call them: folders, `name`, `name/best`, `name/ID-PREFIX`, `latest`."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415  # for shells only

    from nnrun.runs.storage.sweep_progress import ids_in, names_in  # noqa: PLC0415  # as above

    name, slash, _rest = incomplete.partition("/")
    if slash:
        ids = ids_in(_results(ctx), name)
        words = [f"{name}/{part}" for part in (["best", *ids] if ids else [])]
    else:
        words = ["latest", *names_in(_results(ctx))]
    items = [CompletionItem(word) for word in words if word.startswith(incomplete)]
    # A folder may be anywhere; the shell knows better where.
    return items or [CompletionItem(incomplete, type="dir")]


def names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The names of experiments with stored runs."""
    from nnrun.runs.storage.sweep_progress import names_in  # noqa: PLC0415  # for shells only

    return [word for word in names_in(_results(ctx)) if word.startswith(incomplete)]


def topics(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """What `nnrun help` has a topic for; with `--plugin`, parts of plugins too."""
    from nnrun.reports.reference.site import LESSONS, PAGES  # noqa: PLC0415  # for shells only
    from nnrun.reports.reference.topics import topics as known  # noqa: PLC0415  # as above

    names = {*PAGES, *LESSONS, *(topic.name for topic in known())}
    return sorted(name for name in names if name.startswith(incomplete))


def _results(ctx: click.Context) -> Path:
    """The results folder, as far as the command line is written."""
    return Path(ctx.params.get("results") or os.environ.get("NNRUN_RESULTS") or "results")


# The options that commands share.

F = TypeVar("F", bound=Callable[..., Any])


def flag(names: str, text: str, **more: Any) -> Callable[[F], F]:
    """An option without a value, with these names: `-q --quiet`."""
    return click.option(*names.split(), is_flag=True, help=text, **more)


def coverage_option(text: str) -> Callable[[F], F]:
    """The share of rows whose truth intervals or sets hold."""
    kind = click.FloatRange(0, 1, min_open=True, max_open=True)
    return click.option("--coverage", type=kind, metavar="SHARE", help=text)


def number(
    names: str, text: str, least: int = 1, most: int | None = None, **more: Any
) -> Callable[[F], F]:
    """An option with a whole number."""
    kind = click.IntRange(least, most)
    return click.option(*names.split(), type=kind, metavar="N", help=text, **more)


def path(names: str, text: str, metavar: str = "FILE", **more: Any) -> Callable[[F], F]:
    """An option with the path of a file, unless its type is another one."""
    kind = more.pop("type", click.Path(path_type=Path))
    return click.option(*names.split(), type=kind, metavar=metavar, help=text, **more)


def paths_argument(
    metavar: str, *, or_runs: bool = False, required: bool = True
) -> Callable[[F], F]:
    """Configs and overrides, as the argument `arguments`; or the name of a run."""
    complete = files_and_runs if or_runs else files
    return click.argument(
        "arguments", nargs=-1, required=required, shell_complete=complete, metavar=metavar
    )


def _finite(_ctx: click.Context, _param: click.Parameter, margin: float | None) -> float | None:
    if margin is not None and not isfinite(margin):
        raise UsageError(f"--margin {margin:g}: it must be a finite number")
    return margin


def _sets(attribute: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def callback(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value and isinstance(ctx.obj, Output):
            setattr(ctx.obj, attribute, True)

    return callback


def _of_output(names: str, text: str, attribute: str) -> Callable[[F], F]:
    """A flag of the output; eager, so that errors in other options are printed accordingly."""
    return flag(names, text, is_eager=True, expose_value=False, callback=_sets(attribute))


json_option = _of_output("--json", "Print data as JSON.", "json")
wide_option = _of_output("--wide", "Show all columns, however wide.", "wide")
quiet_option = _of_output("-q --quiet", "Print errors only.", "quiet")
debug_option = _of_output("--debug", "Show the traceback of errors.", "debug")


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`, `--quiet` and `--debug`; the output that they set is the first argument."""
    return json_option(quiet_option(debug_option(click.pass_obj(command))))


def file_option(text: str, *, required: bool = False) -> Callable[[F], F]:
    """`-o FILE`, as the argument `file`."""
    return path("-o --output file", text, required=required)


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


results_option = path(
    "--results", "Where runs are kept.", "DIR", type=Folder(), envvar="NNRUN_RESULTS",
    default="results", show_default=True, show_envvar=True,
)  # fmt: skip
iterations_option = number(
    "--iterations", "Train for N iterations instead of what the config says: a smoke run."
)
threads_option = number(
    "--threads",
    "Let each run use N threads, where that helps; by default its share of the cores. No bit "
    "depends on it.",
)
force_option = flag("--force", "Train again what has been trained already.")
by_option = click.option(
    "--by",
    type=click.Choice(CHOOSING[:2]),
    help="The split by which NAME/best is chosen; by default validation, or test where there is no "
    "validation split. What is chosen by test has a test result that is too good.",
)


def jobs_option(text: str) -> Callable[[F], F]:
    """`-j N`, as the argument `jobs`."""
    return number("-j --jobs", text)


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
        path(
            "--tensorboard",
            "Write runs for TensorBoard into this folder: `tensorboard --logdir DIR`.",
            "DIR", type=Folder(),
        ),
    )  # fmt: skip
    for option in reversed(options):
        call = option(call)
    return cast(F, plugin_option(gradient_check_option(call)))


def _give(_ctx: click.Context, _param: click.Parameter, files: tuple[Path, ...]) -> None:
    if files:
        from nnrun.runs.storage.data_place import give  # noqa: PLC0415  # slow to import

        give(files)


data_option = path(
    "--data files",
    "Where the data of stored runs are now; files are known by their SHA-256.",
    multiple=True, expose_value=False, callback=_give,
)  # fmt: skip


def _activate(ctx: click.Context, _param: click.Parameter, files: tuple[Path, ...]) -> None:
    ctx.meta["nnrun.plugins"] = files
    # Commands that only list runs start faster without the rest.
    from nnrun.plugins.installed import packages  # noqa: PLC0415

    if files or packages() or "nnrun.plugins.loading" in sys.modules:
        from nnrun.plugins.loading import activate  # noqa: PLC0415  # as above

        activate(files)


plugin_option = path(
    "--plugin plugins",
    "Run a Python file that registers layers, losses or other parts, so that configs can name "
    "them; also NNRUN_PLUGINS. `nnrun help plugins` shows how.",
    metavar="FILE.py", envvar="NNRUN_PLUGINS",
    multiple=True, is_eager=True, expose_value=False, callback=_activate,
)  # fmt: skip


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


gradient_check_option = flag(
    "--no-gradient-check",
    "Train with a plugin's parts without comparing their gradients with numerical ones first.",
    expose_value=False, callback=_unchecked,
)  # fmt: skip


def run_argument(*, many: bool = False) -> Callable[[F], F]:
    """RUN, or several, completed by the shell."""
    if many:
        return click.argument("runs", nargs=-1, metavar="[RUN]...", shell_complete=runs)
    return click.argument("run", shell_complete=runs)
