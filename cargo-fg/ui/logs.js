// The log lines, with filters.
