use fg_extension::{Invocation, extension};

mod hello {
    use super::*;

    #[extension(name = "extensionHello.sh", port = 8081)]
    async fn hello(_: Invocation) {}
}

fn main() {}
