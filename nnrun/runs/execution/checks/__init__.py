"""Checks that a run begins with: of its engine, and of the parts of plugins."""
