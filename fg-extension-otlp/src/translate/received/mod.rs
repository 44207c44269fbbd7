//! Correlates spans and log records of the function itself with its invocations.

mod ids;
mod log_records;
mod spans;
