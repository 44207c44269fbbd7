name = "extensionHello.sh", port = 8081
struct Hello;
