//! Another process on the extension's port is nothing that could be held against the extension.

use anyhow::bail;

use super::boots::Ended;
use crate::holder::holder;

/// What programs say of it, in several languages.
const SIGNS: [&str; 4] = ["in use", "Errno 98", "os error 98", "EADDRINUSE"];

/// An error, if that is why it ended.
pub(super) fn is_free(ended: &Ended) -> anyhow::Result<()> {
    let printed = &ended.printed;
    if !SIGNS.iter().any(|sign| printed.contains(sign)) {
        return Ok(());
    }
    let taken: Vec<_> = (8081..=8090)
        .filter_map(|port: u16| Some((port, holder(port)?)))
        .collect();
    // It says which, for the most part; if not, it is one of those that are taken.
    let is_named = |port: u16| printed.contains(&format!(":{port}"));
    let is_any_named = taken.iter().any(|(port, _)| is_named(*port));
    let holders: Vec<_> = taken
        .iter()
        .filter(|(port, _)| !is_any_named || is_named(*port))
        .map(|(port, holder)| format!("port {port} is held by {holder}"))
        .collect();
    if holders.is_empty() {
        return Ok(());
    }
    bail!(
        "the extension finds its port in use, and {}: end that process, or give the extension another port",
        holders.join(", ")
    )
}
