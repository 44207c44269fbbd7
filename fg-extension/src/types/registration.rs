//! The platform's response to the registration.

/// The platform's response to the registration, which describes the function.
///
/// The response contains the function's name and version, and, according to the text of the page but not its example,
/// the handler's name (D 2707). If the response lacks the name or the version, it is read from `RUNTIME_FUNC_NAME` or
/// `RUNTIME_FUNC_VERSION`. A value that is in neither place is `None`.
///
/// In a unit test of `init`, start from the default value:
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
    /// The field `functionName`: the function's name, such as `helloWorld`.
    pub function_name: Option<String>,
    /// The field `functionVersion`: the function's version, such as `$LATEST`.
    pub function_version: Option<String>,
    /// The field `handler`: the function's handler, such as `index.handler`.
    pub handler: Option<String>,
}
