// The details of what is selected.
