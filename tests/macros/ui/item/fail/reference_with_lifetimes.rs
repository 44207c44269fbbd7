use fg_extension::{Invocation, extension};

struct Hello<'a>(&'a str);

#[extension(name = "extensionHello.sh", port = 8081)]
impl<'a> &'a mut Hello<'a> {
    async fn on_invoke(&self, _: Invocation) {}
}
