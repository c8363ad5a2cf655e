"""One update of a network with every number; what it computes over a plane while it trains.

`nnrun.explain(config)` is the function `nnrun.api.checks.explain`.
"""

from nnrun.callables import make_callable

make_callable(__name__)
