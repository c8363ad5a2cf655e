"""How the cells of a column write numbers and dates: formats, and which one a column shows."""
