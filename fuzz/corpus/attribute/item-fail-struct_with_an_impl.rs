name = "extensionHello.sh", port = 8081
#[derive(Default)]
struct Hello;

impl Hello {}
