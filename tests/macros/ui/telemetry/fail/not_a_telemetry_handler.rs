use fg_extension::{Invocation, extension};

#[derive(Default)]
struct Hello;

#[extension(name = "extensionHello.sh", port = 8081)]
impl Hello {
    #[invoke]
    async fn on_invoke(&self, _: Invocation) {}
}

pub fn run() {
    drop(fg_extension::run_with_telemetry::<Hello>());
}
