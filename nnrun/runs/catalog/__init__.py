"""Many runs at a glance: the index, summaries, selecting, filtering, comparing."""
