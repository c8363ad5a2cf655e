"""What a search may choose, and settings spread over it: ranges, layers, grids, Sobol points."""
