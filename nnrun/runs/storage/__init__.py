"""The results folder: nothing else in nnrun writes there.

`run_folder` writes a run and its checkpoints. `reading` decides whether a stored run is valid; by
`integrity`, its files have the digests in its report.
"""
