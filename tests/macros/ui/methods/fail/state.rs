use fg_extension::{Invocation, extension};

struct State;

#[derive(Default)]
struct Hello;

#[extension(name = "extensionHello.sh", port = 8081)]
impl Hello {
    #[invoke]
    async fn on_invoke(&self, invocation: Invocation, state: &State) {}
}
