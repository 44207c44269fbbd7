//! What the platform says when the extension registers.

/// The platform's response to the registration: the function that the extension runs beside.
///
/// D 2707: the response has the function's name, its version and, by the page's prose but not its example,
/// the handler's name. What the platform did not say is `None`; name and version then come from
/// `RUNTIME_FUNC_NAME` and `RUNTIME_FUNC_VERSION`, if these are set.
///
/// For a unit test of an `init`, change a default one:
///
/// ```
/// use fg_extension::Registration;
///
/// let mut registration = Registration::default();
/// registration.function_name = Some("hello".to_owned());
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Registration {
    /// The function's name, `functionName`, as in `helloWorld`.
    pub function_name: Option<String>,
    /// The function's version, `functionVersion`, as in `$LATEST`.
    pub function_version: Option<String>,
    /// The function's handler, `handler`, as in `index.handler`.
    pub handler: Option<String>,
}
