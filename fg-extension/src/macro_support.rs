//! The traits by which generated code checks the parameter and return types of the author's functions.
//!
//! Their error messages describe what the author wrote instead of what the macro generated.

use crate::Error;

/// The parameter type `T`, which is the only type that implements this trait.
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
    note = "`E` can be any type that converts into `fg_extension::Error`: any `std::error::Error + Send + Sync`, or a string"
)]
pub trait IntoHandlerResult {
    /// Converts into the return type of [`Extension::invoke`](crate::Extension::invoke).
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

/// A type that an `#[init]` method may return: `T`, or `Result<T, E>` with any `E` that converts into [`Error`].
#[diagnostic::on_unimplemented(
    message = "the `#[init]` method of `{T}` cannot return `{Self}`",
    label = "write `Self` or `Result<Self, E>`",
    note = "`E` can be any type that converts into `fg_extension::Error`: any `std::error::Error + Send + Sync`, or a string"
)]
pub trait IntoInitResult<T> {
    /// Converts into the return type of [`Extension::init`](crate::Extension::init).
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

/// An extension that does not need an `#[init]` method, because it implements [`Default`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no `#[init]` method and does not implement `Default`",
    label = "derive `Default` for `{Self}`, or add a method such as `#[init] async fn new() -> Self`"
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
