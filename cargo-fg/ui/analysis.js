// What was slow in an invocation.
