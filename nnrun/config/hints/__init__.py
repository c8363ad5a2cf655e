"""What a user may have meant: keys in the wrong place, words that are options of other commands."""
