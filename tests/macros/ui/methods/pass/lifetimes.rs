#![allow(
    clippy::needless_lifetimes,
    reason = "the program tests an explicit lifetime"
)]

use fg_extension::{Invocation, extension};

#[derive(Default)]
struct Hello(std::borrow::Cow<'static, str>);

#[extension(name = "extensionHello.sh", port = 8081)]
impl Hello {
    #[invoke]
    async fn on_invoke<'a>(
        &'a self,
        _: Invocation,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        println!("{}", self.0);
        Ok(())
    }
}
