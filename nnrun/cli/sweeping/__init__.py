"""What `nnrun sweep` does beside the sweep itself: plan, progress, results and errors."""
