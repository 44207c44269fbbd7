name = "extensionHello.sh", port = 8081
pub async fn hello(Invocation { trace_id, .. }: Invocation) {
    println!("{trace_id}");
}
