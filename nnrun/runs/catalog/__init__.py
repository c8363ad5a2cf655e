"""Many runs: the index, summaries, selecting, filtering, comparing."""
