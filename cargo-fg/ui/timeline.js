// The timeline: one row for the function, each extension and telemetry, on a canvas.
