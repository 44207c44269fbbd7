use fg_extension::Invocation;

#[derive(Default)]
struct Hello;

#[fg_extension::extension(name = "extensionHello.sh", port = 8081)]
impl Hello {
    #[fg_extension::invoke]
    async fn on_invoke(&self, _: Invocation) {}
}
