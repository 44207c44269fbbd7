//! The exporter against a collector that does what the test says.

mod collector;
