// The list of invocations.
