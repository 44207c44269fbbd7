name = "extensionHello.sh", port = 8081
impl Hello<{ 1 + 1 }>
where
    Hello<{ 4 - 2 }>: Sized,
{
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}
}
