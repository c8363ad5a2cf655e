"""The reference of the config language, made from docstrings, signatures and the schema."""
