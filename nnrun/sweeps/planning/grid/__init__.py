"""A config's grid: its keys with their values, and the configs that these make."""
