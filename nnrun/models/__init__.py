"""Trained networks with their fitted preprocessing, for use: no training code is needed here."""
