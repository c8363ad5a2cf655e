"""One update of a network with every number; what it computes over a plane while it trains."""
