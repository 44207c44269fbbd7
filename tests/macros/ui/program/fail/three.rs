use fg_extension::{Invocation, extension};

#[extension(name = "extensionHello.sh", port = 8081)]
struct Hello;

#[extension(name = "extensionHello.sh", port = 8081)]
impl Hello {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}
}

#[extension(name = "extensionBye.sh", port = 80)]
async fn bye(_: Invocation) {}
