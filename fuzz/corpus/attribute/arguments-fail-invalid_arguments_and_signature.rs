name = "demo", port = 1
async fn hello(_: String) -> u8 {
    0
}
