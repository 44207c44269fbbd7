::core::compile_error! {
    "port 8080 is out of range: FunctionGraph posts events to ports 8081 to 8090 only"
}
#[allow(dead_code)]
impl Forwarder {
    #[allow(clippy::unused_async, clippy::unused_self)]
    async fn on_invoke(&self, _: Invocation) {}
}
fn main() {}
