name = "extensionHello.sh", port = 8081
async fn hello(invocation: Invocation) -> Result<(), String> {
    Err(invocation.trace_id)
}
