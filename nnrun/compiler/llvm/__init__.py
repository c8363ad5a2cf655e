"""Source to machine code: compiling, the cache of object files, loading."""
