name = "extensionHello.sh", port = 8081
mod hello {
    use fg_extension::Invocation;

    #[invoke]
    pub async fn on_invoke(_: Invocation) {}
}
