"""Stochastic gradient descent: θ ← θ - η g, with momentum v ← μ v + g, θ ← θ - η v."""

VELOCITY = "{momentum} * {velocity} + {g}"
NESTEROV = "{g} + {momentum} * {velocity}"  # takes the place of v in the step
STEP = "{theta} - {rate} * {g}"
