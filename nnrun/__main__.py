"""`python -m nnrun` is `nnrun`."""

import os
import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        # Python would import from the working folder first, whatever lies there.
        del sys.path[0]
        here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        if here not in sys.path:
            sys.path.append(here)  # a checkout that is not installed, for its worker processes

    from nnrun.cli import main

    main()
