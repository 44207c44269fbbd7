//! The runtime: extensions as processes, on a platform that answers as a test scripts it.

mod auto_traits;
mod invoke;
mod lifecycle;
mod register;
mod shutdown;
mod startup;
mod telemetry;
