"""Sweeps: plans of many runs, the workers that train them, and their leaderboards."""
