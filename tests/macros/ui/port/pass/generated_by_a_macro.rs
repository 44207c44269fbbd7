use fg_extension::{Invocation, extension};

macro_rules! hello {
    ($name:literal, $port:expr) => {
        #[extension(name = $name, port = $port)]
        async fn hello(_: Invocation) {}
    };
}

hello!("extensionHello.sh", 8085);
