"""What a user may have meant: keys in the wrong place, arguments that are options of commands."""
