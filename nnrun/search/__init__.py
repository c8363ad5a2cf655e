"""Searches: settings that are proposed by the results of earlier ones, and the best of them.

`nnrun.search(config)` makes one: `nnrun.api.choices.search`.
"""

from nnrun.callables import make_callable

make_callable(__name__)
