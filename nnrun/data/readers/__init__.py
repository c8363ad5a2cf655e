"""Reading data files (CSV, npz, IDX) into arrays, and describing what is wrong with their cells."""
