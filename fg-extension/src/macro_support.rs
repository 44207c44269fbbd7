//! Traits that generated code uses to check the signatures of the author's functions, so that rustc's errors are about
//! the author's code.

use crate::Error;

/// The type of a parameter of an annotated function. `T` itself is the only type that implements `Parameter<T>`.
#[diagnostic::on_unimplemented(
    message = "this parameter must be of type `{T}`, not `{Self}`",
    label = "write `{T}`"
)]
pub trait Parameter<T> {
    /// Returns the argument unchanged.
    fn receive(argument: T) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T> Parameter<T> for T {
    fn receive(argument: T) -> Self {
        argument
    }
}

/// A type that a handler may return: `()`, or `Result<(), E>` with any `E` that converts into [`Error`].
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "write `()` or `Result<(), E>`",
    note = "`E` is any type that converts into `fg_extension::Error`: a `std::error::Error + Send + Sync`, or a string"
)]
pub trait IntoHandlerResult {
    /// Converts the value into the result of [`Extension::invoke`](crate::Extension::invoke).
    fn into_handler_result(self) -> Result<(), Error>;
}

#[diagnostic::do_not_recommend]
impl IntoHandlerResult for () {
    fn into_handler_result(self) -> Result<(), Error> {
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
impl<E: Into<Error>> IntoHandlerResult for Result<(), E> {
    fn into_handler_result(self) -> Result<(), Error> {
        self.map_err(Into::into)
    }
}

/// A type that `#[init]` may return: `T`, or `Result<T, E>` with any `E` that converts into [`Error`].
#[diagnostic::on_unimplemented(
    message = "the `#[init]` method of `{T}` cannot return `{Self}`",
    label = "write `Self` or `Result<Self, E>`",
    note = "`E` is any type that converts into `fg_extension::Error`: a `std::error::Error + Send + Sync`, or a string"
)]
pub trait IntoInitResult<T> {
    /// Converts the value into the result of [`Extension::init`](crate::Extension::init).
    fn into_init_result(self) -> Result<T, Error>;
}

#[diagnostic::do_not_recommend]
impl<T> IntoInitResult<T> for T {
    fn into_init_result(self) -> Result<T, Error> {
        Ok(self)
    }
}

#[diagnostic::do_not_recommend]
impl<T, E: Into<Error>> IntoInitResult<T> for Result<T, E> {
    fn into_init_result(self) -> Result<T, Error> {
        self.map_err(Into::into)
    }
}

/// A type that can be an extension without `#[init]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no `#[init]` method and does not implement `Default`",
    label = "derive `Default` for `{Self}`, or add a method `#[init] async fn init() -> Self`"
)]
pub trait DefaultInit {
    /// Returns the default value.
    fn default_init() -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Default> DefaultInit for T {
    fn default_init() -> Self {
        T::default()
    }
}
