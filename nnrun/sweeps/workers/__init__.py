"""Who trains the runs of a sweep: this process, several, any executor, a Dask cluster."""
