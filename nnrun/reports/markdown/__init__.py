"""Markdown files: a run's report, the leaderboard, the replication table."""
