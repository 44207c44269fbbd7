use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 8081)]
fn hello(_: Invocation) {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(async {});
}
