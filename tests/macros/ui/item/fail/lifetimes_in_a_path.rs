use fg_extension::{Invocation, extension};

mod sinks {
    pub struct Hello<'a, 'b, T>(pub &'a str, pub &'b T);
}

#[extension(name = "extensionHello.sh", port = 8081)]
impl<'a, 'b> sinks::Hello<'a, 'b, Option<&'a u8>> {
    #[invoke]
    async fn on_invoke(&mut self, _: Invocation) {}
}
