use crate::TelemetryCounters;

/// What the platform told when the extension registered: the function that it lives beside.
///
/// D 2707: the answer has the function's name, its version and, by the page's prose but not its example,
/// the handler's name. What the platform did not say is `None`; name and version then come from
/// `RUNTIME_FUNC_NAME` and `RUNTIME_FUNC_VERSION`, if these are set.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Registration {
    /// As in `helloWorld`.
    pub function_name: Option<String>,
    /// As in `$LATEST`.
    pub function_version: Option<String>,
    /// As in `index.handler`.
    pub handler: Option<String>,

    /// What becomes of the telemetry that is subscribed to, counted from now on; all zero without a subscription.
    pub telemetry: TelemetryCounters,
}
