"""`nnrun ui`: the report as a local page that is alive."""

from __future__ import annotations

import webbrowser
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nnrun.cli import options
from nnrun.cli.output import Output
from nnrun.compiler.cache import NotPrivateError
from nnrun.errors import UsageError

if TYPE_CHECKING:
    from nnrun.ui.server import Server

_LOOPBACK = "127.0.0.1"


@click.command("ui")
@options.number(
    "--port",
    "The port of the page; 0 takes any that is free.  [default: 8620, or any that is free]",
    0,
    65535,
)
@options.flag("--open opens", "Open the page in the browser.")
@click.option(
    "--host",
    default=_LOOPBACK,
    show_default=True,
    metavar="HOST",
    help="The address to listen on. With another one, others on the network can try to connect.",
)
@options.results_option
@options.data_option
@options.plugin_option
@options.output_options
def command(output: Output, /, port: int | None, opens: bool, host: str, results: Path) -> None:
    """Show the results folder as a page in the browser, which changes while runs come.

    The page is the report of all runs: leaderboards, curves, settings, runs in progress. Runs can
    be chosen and compared; the page of a run has a form on which a digit is drawn or a row typed
    in, and its network answers. In the playground a small network learns while its settings
    change. It only reads; closing it, or ending this command by Ctrl-C, changes no run.

    Only this machine can open it, by the address that is printed, which is new at each start: the
    first browser that opens it is the only one. Needs the extra nnrun[ui].

    \b
    nnrun ui
    nnrun ui --open
    nnrun ui --port 8700 --results elsewhere
    """
    server = _server()(results, host, port)
    if server.is_open:
        output.note(
            f"warning: anyone who reaches {host} and opens this address first can read these "
            "results, which are sent unencrypted"
        )

    with ExitStack() as stack:

        def ready() -> None:
            output.data({"address": server.address, "port": server.port})
            if not output.json:
                output.text(f"{server.address}\n")
            output.note("Ctrl-C ends this page; runs go on")
            if opens:
                _open(server, stack, output)

        server.run(ready)


def _open(server: Server, stack: ExitStack, output: Output) -> None:
    """Open the page in the browser, by a local page that is there until the `stack` is closed."""
    from nnrun.ui.server import page_to  # noqa: PLC0415  # as the server

    try:
        page = stack.enter_context(page_to(server.address, server.port))
    except (OSError, NotPrivateError) as error:
        output.note(f"warning: no browser is opened ({error}); open the address above")
        return
    if click.launch(str(page)):
        webbrowser.open(page.as_uri())


def _server() -> type[Server]:
    try:
        from nnrun.ui.server import Server  # noqa: PLC0415  # an extra, slow to import
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn", "anyio", "h11"):
            raise
        raise UsageError(
            "the page needs the packages starlette and uvicorn; install the extra: "
            "pip install 'nnrun[ui]'"
        ) from error
    return Server
