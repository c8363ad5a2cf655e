"""The one pool of worker processes on this machine, for sweeps and for verification.

`concurrent.futures.ProcessPoolExecutor` would not do. When one of its workers is killed, all of its
tasks are lost and it takes no more; here one task is lost. It carries only calls and results: runs
could not report their progress, save checkpoints, or be stopped. And a sweep of 1,000 runs of a
millisecond takes 9.3 s of CPU time with it, and 6.0 s here, since workers have their data and their
next tasks already.

Workers ignore Ctrl-C and SIGTERM; the parent stops them.
"""
