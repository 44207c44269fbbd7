//! Tests of the runtime: extensions as processes, with a platform whose responses are scripted.

mod auto_traits;
mod hostile;
mod invoke;
mod lifecycle;
mod register;
mod shutdown;
mod startup;
mod telemetry;
