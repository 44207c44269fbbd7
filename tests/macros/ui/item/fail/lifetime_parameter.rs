use fg_extension::{Invocation, extension};

struct Hello<'a>(&'a str);

#[extension(name = "extensionHello.sh", port = 8081)]
impl<'a> Hello<'a> {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}
}
