"""A function generated for one network: its source, its memory, the engine that runs it."""
