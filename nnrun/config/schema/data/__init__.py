"""The `dataset` block: where the data is, how it is split, and how it is prepared."""
