"""Whether anything grows while nnrun sweeps for an hour."""
