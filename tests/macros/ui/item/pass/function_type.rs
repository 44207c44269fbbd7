use fg_extension::{Invocation, extension};

struct Hello<T>(T);

#[extension(name = "extensionHello.sh", port = 8081)]
impl Hello<fn(&str, (&u8, u8))> {
    #[init]
    async fn open() -> Self {
        Self(|text, _| println!("{text}"))
    }

    #[invoke]
    async fn on_invoke(&self, _: Invocation) {
        (self.0)("hello", (&1, 2));
    }
}
