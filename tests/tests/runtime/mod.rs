//! Tests of the runtime: extensions as processes, with a platform whose responses are scripted.

mod auto_traits;
mod blocked;
mod hostile;
mod invoke;
mod lifecycle;
mod register;
mod register_retry;
mod shutdown;
mod startup;
mod telemetry;
mod thread_limit;
