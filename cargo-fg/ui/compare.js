// Compares two runs.
