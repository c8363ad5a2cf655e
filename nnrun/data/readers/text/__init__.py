"""Files of text: their lines, and cells between separators."""
