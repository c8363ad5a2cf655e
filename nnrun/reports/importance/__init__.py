"""Which columns, or which pixels, a trained network's predictions depend on."""
