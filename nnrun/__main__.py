"""`python -m nnrun` is `nnrun`."""

from __future__ import annotations

from nnrun.cli import main

if __name__ == "__main__":
    main()
