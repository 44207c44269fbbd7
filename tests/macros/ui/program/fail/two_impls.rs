use fg_extension::{Invocation, extension};

#[derive(Default)]
struct Hello;

#[derive(Default)]
struct Bye;

#[extension(name = "extensionHello.sh", port = 8081)]
impl Hello {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}
}

#[extension(name = "extensionBye.sh", port = 8082)]
impl Bye {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}
}
