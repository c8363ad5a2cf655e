"""What notebooks show: runs, leaderboards, checks and reports as HTML, and bars of progress."""
