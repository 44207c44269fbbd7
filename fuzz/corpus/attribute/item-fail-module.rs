name = "extensionHello.sh", port = 8081
mod hello {}
