"""Speed beside the peers: `python -m tests.benchmarks` from the repository's root."""
