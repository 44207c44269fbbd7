mod sdk {
    pub use fg_extension;
}
use sdk::fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 8081, crate = sdk::fg_extension)]
async fn hello(_: Invocation) {}
