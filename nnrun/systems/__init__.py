"""What differs between operating systems: no other folder asks which one this is."""

import sys

if sys.platform == "win32":
    from nnrun.systems import windows as system
else:
    from nnrun.systems import posix as system

__all__ = ["system"]
