"""Random changes of training rows, new ones at each visit: shifts, flips, turns, noise."""
