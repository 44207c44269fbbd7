use fg_extension::{Invocation, extension};

struct Hello<'a, T>(&'a T);

#[extension(name = "extensionHello.sh", port = 8081)]
impl<'a, T> Hello<'a, T> {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}
}
