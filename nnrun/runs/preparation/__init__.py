"""Configs to runs that are ready to start, with all mistakes found."""
