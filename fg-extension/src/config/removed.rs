//! Settings that were removed.

/// The names of removed settings, each with a description of the behavior that replaced it.
const REMOVED: [(&str, &str); 1] = [(
    "FG_TELEMETRY_OVERFLOW",
    "a batch that does not fit into the buffer is rejected with status 503",
)];

/// Returns a warning for each removed setting that is set.
pub(super) fn warnings(is_set: impl Fn(&'static str) -> bool) -> Vec<String> {
    REMOVED
        .iter()
        .filter(|(name, _)| is_set(name))
        .map(|(name, instead)| format!("{name} was removed: {instead}; unset it"))
        .collect()
}
