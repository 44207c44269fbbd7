use fg_extension::{Invocation, extension};

#[derive(Default)]
struct Hello;

#[extension(name = "extensionHello.sh", port = 8081)]
impl fg_extension::Extension for Hello {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}
}
