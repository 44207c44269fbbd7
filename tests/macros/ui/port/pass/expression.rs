use fg_extension::{Invocation, extension};

mod ports {
    pub(crate) const fn of(index: u16) -> u16 {
        8081 + index
    }
}

#[extension(name = "extensionHello.sh", port = if cfg!(windows) { 8090 } else { ports::of(4) })]
async fn hello(_: Invocation) {}
