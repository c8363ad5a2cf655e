"""Adam: m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g², θ ← θ - η m̂ / (sqrt(v̂) + ε).

`mean_part` is η / (1 - β₁ᵗ), and `rest1` and `rest2` are 1 - β₁ and 1 - β₂.
"""

MEAN = "{mean} * {beta1} + {g} * {rest1}"
SQUARE = "{square} * {beta2} + {g} * {g} * {rest2}"
STEP = "{theta} - {mean} / ({root} + {epsilon}) * {mean_part}"
