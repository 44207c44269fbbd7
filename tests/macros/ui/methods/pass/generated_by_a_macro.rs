use fg_extension::{Invocation, extension};

macro_rules! program {
    ($type:ty, $method:ident, $event:ty, $name:literal, $port:expr, $crate_path:path) => {
        #[extension(name = $name, port = $port, crate = $crate_path)]
        impl $type {
            #[invoke]
            async fn $method(&self, _: $event) -> Result<(), std::io::Error> {
                Ok(())
            }
        }
    };
}

#[derive(Default)]
struct Hello;

program!(
    Hello,
    on_invoke,
    Invocation,
    "extensionHello.sh",
    8080 + 1,
    ::fg_extension
);
