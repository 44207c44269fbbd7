name = "extensionHello.sh", port = 8081
fn hello(_: Invocation) -> impl Future<Output = ()> {
    async {}
}
