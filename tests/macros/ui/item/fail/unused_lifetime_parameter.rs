use fg_extension::{Invocation, extension};

struct Hello;

#[extension(name = "extensionHello.sh", port = 8081)]
impl<'a> Hello {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}
}
