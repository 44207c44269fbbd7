use fg_extension::extension;

mod sdk {
    pub use fg_extension::Invocation;
}

#[extension(name = "extensionHello.sh", port = 8081, crate = sdk)]
async fn hello(_: sdk::Invocation) {}
