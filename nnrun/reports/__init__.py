"""Run records as terminal tables, Markdown, HTML and charts. Nothing here trains or writes."""
