name = "hello.sh", port = 80, port = 8081, timeout = 2, retries = 3
fn hello(&self) -> u8 {
    0
}
