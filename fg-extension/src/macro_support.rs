//! What types an author's functions may have: generated code asks these traits, so that the answer is about the
//! author's own words.

use crate::Error;

/// What an annotated function is called with, and nothing else.
#[diagnostic::on_unimplemented(
    message = "the parameter must be `{T}`, not `{Self}`",
    label = "write `{T}`"
)]
pub trait Parameter<T> {
    /// The argument itself.
    fn receive(argument: T) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T> Parameter<T> for T {
    fn receive(argument: T) -> Self {
        argument
    }
}

/// What an annotated function may return: `()`, or `Result<(), E>` with any `E` that turns into an [`Error`].
#[diagnostic::on_unimplemented(
    message = "an extension's handler cannot return `{Self}`",
    label = "write `()` or `Result<(), E>`",
    note = "`E` is any type that turns into `fg_extension::Error`: every `std::error::Error + Send + Sync`, and strings"
)]
pub trait IntoOutcome {
    /// The result, as [`Extension::invoke`](crate::Extension::invoke) returns it.
    fn into_outcome(self) -> Result<(), Error>;
}

#[diagnostic::do_not_recommend]
impl IntoOutcome for () {
    fn into_outcome(self) -> Result<(), Error> {
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
impl<E: Into<Error>> IntoOutcome for Result<(), E> {
    fn into_outcome(self) -> Result<(), Error> {
        self.map_err(Into::into)
    }
}

/// What `#[init]` may return: the extension, or `Result` of it with any `E` that turns into an [`Error`].
#[diagnostic::on_unimplemented(
    message = "`#[init]` of `{T}` cannot return `{Self}`",
    label = "write `Self` or `Result<Self, E>`",
    note = "`E` is any type that turns into `fg_extension::Error`: every `std::error::Error + Send + Sync`, and strings"
)]
pub trait IntoExtension<T> {
    /// The result, as [`Extension::init`](crate::Extension::init) returns it.
    fn into_extension(self) -> Result<T, Error>;
}

#[diagnostic::do_not_recommend]
impl<T> IntoExtension<T> for T {
    fn into_extension(self) -> Result<T, Error> {
        Ok(self)
    }
}

#[diagnostic::do_not_recommend]
impl<T, E: Into<Error>> IntoExtension<T> for Result<T, E> {
    fn into_extension(self) -> Result<T, Error> {
        self.map_err(Into::into)
    }
}

/// How an extension is made that has no `#[init]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no `#[init]`, and is not `Default`",
    label = "derive `Default` for `{Self}`, or mark a method: `#[init] async fn init() -> Self`"
)]
pub trait WithoutInit {
    /// The default value.
    fn without_init() -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Default> WithoutInit for T {
    fn without_init() -> Self {
        T::default()
    }
}
