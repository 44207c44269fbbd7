name = "extensionHello.sh", port = 8081
impl Iterator for Hello {
    type Item = u8;

    #[invoke]
    fn next(&mut self) -> Option<u8> {
        None
    }
}
