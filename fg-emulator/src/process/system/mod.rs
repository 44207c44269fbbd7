//! What the kernel reports about processes. Without Linux, less of it is known.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
pub(super) use self::linux::{processes_with, wait_until_stopped};
#[cfg(not(target_os = "linux"))]
pub(super) use self::other::{processes_with, wait_until_stopped};
