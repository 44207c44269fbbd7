//! The runtime: extensions as processes, on a platform that answers as a test scripts it.

mod auto_traits;
mod end;
mod invoke;
mod life;
mod register;
mod start;
mod telemetry;
