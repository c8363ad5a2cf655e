"""The plan of a sweep: configs × grid × seeds, checked before any run starts."""
