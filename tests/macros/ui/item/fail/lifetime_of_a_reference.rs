use fg_extension::{Invocation, extension};

struct Hello<T>(T);

#[extension(name = "extensionHello.sh", port = 8081)]
impl Hello<&str> {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}
}
