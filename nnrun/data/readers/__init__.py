"""Files of data to arrays: CSV, npz and IDX, and what is wrong with their cells."""
