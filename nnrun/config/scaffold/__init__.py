"""First configs for `nnrun init`, from a file of data or from defaults."""
