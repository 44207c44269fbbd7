use fg_extension::{Invocation, extension};

#[tokio::main(flavor = "current_thread")]
#[extension(name = "extensionHello.sh", port = 8081)]
async fn hello(_: Invocation) -> Result<(), String> {
    Ok(())
}
