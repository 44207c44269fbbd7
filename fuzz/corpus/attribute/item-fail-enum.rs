name = "extensionHello.sh", port = 8081
enum Hello {}
