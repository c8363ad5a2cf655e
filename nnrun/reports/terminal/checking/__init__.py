"""What `nnrun check` shows: configs, a range test of the learning rate, parts of plugins."""
