"""`python -m nnrun` is `nnrun`."""

import atexit
import os
import sys


def main() -> None:
    """The entry point: quiet from the start, also where a signal comes while it still loads."""
    from nnrun.cli import main as run  # noqa: PLC0415  # see nnrun/__init__.py
    from nnrun.cli import shows_overview  # noqa: PLC0415  # likewise

    if shows_overview():
        return
    import signal  # noqa: PLC0415  # slow to import, with enum

    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is None or (name == "SIGHUP" and signal.getsignal(number) == signal.SIG_IGN):
            continue  # another system's; or that of `nohup`
        signal.signal(number, lambda number, _: os._exit(128 + number))
        # While Python ends, it would have the signal kill it in place of the exit code there is.
        atexit.register(signal.signal, number, signal.SIG_IGN)

    run()


if __name__ == "__main__":
    if not sys.flags.safe_path:
        # Python would import from the working folder first.
        del sys.path[0]
        here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        if here not in sys.path:
            sys.path.append(here)  # a checkout that is not installed, for its worker processes

    main()
