name = "extensionHello.sh", port = 8081
const HELLO: u8 = 0;
