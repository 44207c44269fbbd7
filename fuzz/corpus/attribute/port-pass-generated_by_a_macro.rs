name = $name, port = $port
        async fn hello(_: Invocation) {}
    };
}
