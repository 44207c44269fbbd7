use fg_extension::{Invocation, extension};

struct State;

#[extension(name = "extensionHello.sh", port = 8081)]
async fn hello(invocation: Invocation, state: State) {}
