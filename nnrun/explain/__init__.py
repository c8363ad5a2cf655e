"""One update of a network with every number: forward, backward, the optimizer's step."""
