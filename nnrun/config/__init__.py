"""From a YAML file and `key=value` arguments to a validated config, with every error located."""
