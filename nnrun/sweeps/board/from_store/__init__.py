"""Leaderboards over runs that are stored in a results folder, and the best of them."""
