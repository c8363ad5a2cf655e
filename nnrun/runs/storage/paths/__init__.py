"""Paths in stored configs, which name no folder of their author."""
