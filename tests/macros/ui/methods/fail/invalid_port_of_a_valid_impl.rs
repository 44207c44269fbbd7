use fg_extension::{Invocation, extension};

#[derive(Default)]
struct Hello;

#[allow(dead_code)]
fn uses_it() {
    Hello::help();
    let _ = Hello::on_invoke;
}

#[extension(name = "extensionHello.sh", port = 8091)]
impl Hello {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}

    fn help() {}
}
