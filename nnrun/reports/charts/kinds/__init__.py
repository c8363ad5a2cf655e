"""The charts: each a function from data to a `Chart` with title, drawing, description and table."""
