use fg_extension::extension;

#[derive(Default)]
struct Hello;

#[extension(name = "extensionHello.sh", port = 8081)]
impl Hello {
    fn help(&self) {}
}
