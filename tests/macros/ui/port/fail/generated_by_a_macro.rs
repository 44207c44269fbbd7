use fg_extension::{Invocation, extension};

macro_rules! program {
    ($name:expr, $port:expr) => {
        #[extension(name = $name, port = $port)]
        async fn hello(_: Invocation) {}
    };
}

program!("demo", 80);
