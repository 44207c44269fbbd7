name = "extensionHello.sh", port = $port
        impl $type {}
    };
}
