name = "extensionHello.sh", port = 8081
trait Hello {}
