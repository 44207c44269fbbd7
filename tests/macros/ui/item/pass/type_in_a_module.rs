use fg_extension::{Invocation, extension};

mod hello {
    #[derive(Default)]
    pub struct Hello;
}

#[extension(name = "extensionHello.sh", port = 8081)]
impl hello::Hello {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}
}
