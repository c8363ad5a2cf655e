"""The section about the search that an experiment's runs come from."""
