use fg_extension::extension;

macro_rules! program {
    ($type:ty, $port:expr) => {
        #[extension(name = "extensionHello.sh", port = $port)]
        impl $type {}
    };
}

struct Hello;

program!(Hello, 8080);
