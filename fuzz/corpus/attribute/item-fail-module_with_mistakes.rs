name = "hello", port = 1
mod hello {}
