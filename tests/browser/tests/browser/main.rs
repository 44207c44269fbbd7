//! Tests of the page in Chromium, run with `--ignored`.
#![allow(clippy::unwrap_used, reason = "test helpers may panic like tests")]

mod access;
mod accessibility;
mod check;
mod controls;
mod files;
mod hostile;
mod logs;
mod page;
mod performance;
mod rebuild;
mod telemetry;
mod timeline;
