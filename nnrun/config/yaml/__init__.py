"""YAML 1.2 text to plain data with the place of every value, and back."""
