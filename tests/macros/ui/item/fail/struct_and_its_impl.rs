use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 8081)]
#[derive(Default)]
struct Hello;

#[extension(name = "extensionHello.sh", port = 8081)]
impl Hello {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}
}
