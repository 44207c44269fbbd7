// The report of the conformance tests.
