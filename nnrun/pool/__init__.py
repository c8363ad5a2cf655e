"""The one pool of worker processes on this machine, for sweeps and for verification."""
