"""Leaderboards: one row for each setting, compared with the best, as data."""
