"""Work in progress, as data that every display draws: runs, sweeps, searches, verifications."""
