#![allow(
    clippy::needless_arbitrary_self_type,
    clippy::needless_lifetimes,
    reason = "the program tests the long form of `&self`"
)]

use fg_extension::{Invocation, extension};

#[derive(Default)]
struct Hello;

#[extension(name = "extensionHello.sh", port = 8081)]
impl Hello {
    #[invoke]
    async fn on_invoke<'a>(self: &'a Self, _: Invocation) {}

    #[shutdown]
    async fn close(self: &Hello) {}
}
