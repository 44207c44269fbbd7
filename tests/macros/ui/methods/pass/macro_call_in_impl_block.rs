use fg_extension::{Invocation, extension};

#[derive(Default)]
struct Hello;

macro_rules! noted {
    ($name:ident) => {
        fn $name(&self) {}
    };
}

#[extension(name = "extensionHello.sh", port = 8081)]
impl Hello {
    noted!(note);

    #[invoke]
    async fn on_invoke(&self, _: Invocation) {
        self.note();
    }
}
