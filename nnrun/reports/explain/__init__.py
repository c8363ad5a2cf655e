"""One explained update, in the terminal and as a page."""
