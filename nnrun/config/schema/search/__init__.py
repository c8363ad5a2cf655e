"""The `search` block: what `nnrun search` varies, and how."""
