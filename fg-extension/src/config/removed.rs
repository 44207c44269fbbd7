//! Settings that no longer exist.

/// The names of former settings, each with what holds instead of it.
const REMOVED: [(&str, &str); 1] = [(
    "FG_TELEMETRY_OVERFLOW",
    "a batch that does not fit is rejected with status 503",
)];

/// Returns a warning for each removed setting that is set.
pub(super) fn warnings(is_set: impl Fn(&'static str) -> bool) -> Vec<String> {
    REMOVED
        .iter()
        .filter(|(name, _)| is_set(name))
        .map(|(name, instead)| format!("{name} no longer exists: {instead}; unset it"))
        .collect()
}
