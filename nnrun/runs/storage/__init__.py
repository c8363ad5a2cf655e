"""The results folder: nothing else in nnrun writes there."""
