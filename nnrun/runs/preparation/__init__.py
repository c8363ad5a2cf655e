"""Everything that can be known, and be wrong, before a run starts."""
