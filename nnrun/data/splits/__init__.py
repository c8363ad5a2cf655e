"""Training, validation and test rows: at random, by groups or by time, once or in folds."""
