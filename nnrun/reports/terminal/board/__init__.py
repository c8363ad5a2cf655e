"""Leaderboards for the terminal, and what every output says of them: columns, notes, choices."""
