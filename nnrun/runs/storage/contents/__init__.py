"""What is in the files of a run: formats, digests, and how they are validated."""
