"""The workers of a sweep: this process, several processes, any executor, a Dask cluster."""
