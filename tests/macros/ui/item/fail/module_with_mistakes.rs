use fg_extension::extension;

#[extension(name = "hello", port = 1)]
mod hello {}
