"""Leaderboards: one row for each setting, compared with the best, as data.

`leaderboard` makes the board of a sweep and `from_store` that of stored runs; `comparison` compares
rows, by the `variance` of their means.
"""
