//! The types that an author's functions may have. Generated code uses these traits, so that an error message is about
//! what the author wrote.

use crate::Error;

/// The type of a parameter of an annotated function: `T`, and no other.
#[diagnostic::on_unimplemented(
    message = "the parameter must be `{T}`, not `{Self}`",
    label = "write `{T}`"
)]
pub trait Parameter<T> {
    /// Returns the argument itself.
    fn receive(argument: T) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T> Parameter<T> for T {
    fn receive(argument: T) -> Self {
        argument
    }
}

/// A type that a handler may return: `()`, or `Result<(), E>` with any `E` that turns into an [`Error`].
#[diagnostic::on_unimplemented(
    message = "an extension's handler cannot return `{Self}`",
    label = "write `()` or `Result<(), E>`",
    note = "`E` is any type that turns into `fg_extension::Error`: every `std::error::Error + Send + Sync`, and strings"
)]
pub trait IntoHandlerResult {
    /// Returns the result as [`Extension::invoke`](crate::Extension::invoke) returns it.
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

/// A type that `#[init]` may return: the extension, or `Result` of it with any `E` that turns into an [`Error`].
#[diagnostic::on_unimplemented(
    message = "`#[init]` of `{T}` cannot return `{Self}`",
    label = "write `Self` or `Result<Self, E>`",
    note = "`E` is any type that turns into `fg_extension::Error`: every `std::error::Error + Send + Sync`, and strings"
)]
pub trait IntoInitResult<T> {
    /// Returns the result as [`Extension::init`](crate::Extension::init) returns it.
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

/// An extension that can do without `#[init]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no `#[init]`, and is not `Default`",
    label = "derive `Default` for `{Self}`, or mark a method: `#[init] async fn init() -> Self`"
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
