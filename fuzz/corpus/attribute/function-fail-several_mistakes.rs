name = "extensionHello.sh", port = 8081
fn hello(_: u32) -> u32 {
    0
}
