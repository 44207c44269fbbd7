use fg_extension::{Invocation, extension};

#[derive(Default)]
struct Hello<'a>(&'a str);

#[extension(name = "extensionHello.sh", port = 8081)]
impl Hello<'static> {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {
        println!("{}", self.0);
    }
}
