"""From a config to a run that is ready to start, with all its mistakes found."""
