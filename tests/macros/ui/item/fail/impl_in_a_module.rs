use fg_extension::{Invocation, extension};

mod hello {
    use super::*;

    #[derive(Default)]
    pub struct Hello;

    #[extension(name = "extensionHello.sh", port = 8081)]
    impl Hello {
        #[invoke]
        async fn on_invoke(&self, _: Invocation) {}
    }
}

fn main() {}
