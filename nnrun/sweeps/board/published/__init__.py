"""Published numbers beside those of a sweep."""
