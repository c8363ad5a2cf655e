"""YAML files and `key=value` arguments to validated configs, with every error located."""
