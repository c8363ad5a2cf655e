"""Records of runs as terminal tables and Markdown. Nothing here trains or writes."""
