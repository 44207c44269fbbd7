//! What the kernel reports about the processes and sockets of an extension. Only Linux reports all of it.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
pub(crate) use self::linux::{has_time_wait_connection, owner};
#[cfg(not(target_os = "linux"))]
pub(crate) use self::other::{has_time_wait_connection, owner};

/// Whether this machine runs Linux, as the platform does.
pub(crate) const IS_LINUX: bool = cfg!(target_os = "linux");
/// Why something is skipped if [`IS_LINUX`] is false.
pub(crate) const NEEDS_LINUX: &str = "this needs Linux";
