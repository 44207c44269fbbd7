// The state of a run, built from the entries of its journal.
