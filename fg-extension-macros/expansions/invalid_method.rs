::core::compile_error! {
    "`on_invoke` must be async; write `async fn on_invoke`"
}
::core::compile_error! {
    "`flush` must take `&self`; handlers share the extension, so keep state that changes in a `Mutex` or an atomic"
}
#[allow(unused)]
impl Forwarder {
    #[allow(clippy::unused_async, clippy::unused_self)]
    fn on_invoke(&self, _: Invocation) {}
    #[allow(clippy::unused_async, clippy::unused_self)]
    async fn flush(&mut self) {}
}
const __ONE_EXTENSION_PER_PROGRAM: () = ();
const _: () = {
    use ::fg_extension::__private;
    const _: () = __private::assert_root(__private::module_path!());
    const __PORT: __private::Port = __private::Port::new(8081);
    impl __private::Extension for Forwarder {
        const NAME: __private::ExtensionName = __private::ExtensionName::new(
            "extensionForwarder.sh",
        );
        const PORT: __private::Port = __PORT;
        async fn init(
            _: &__private::Registration,
        ) -> __private::Result<Self, __private::Error> {
            __private::Result::Ok(<Forwarder as __private::DefaultInit>::default_init())
        }
        async fn invoke(
            &self,
            invocation: __private::Invocation,
        ) -> __private::Result<(), __private::Error> {
            let __invocation = (invocation,);
            let __output = (
                Self::on_invoke(self, __private::Parameter::receive(__invocation.0)),
            );
            __private::IntoHandlerResult::into_handler_result(__output.0)
        }
    }
};
fn main() -> ::std::process::ExitCode {
    use ::fg_extension::__private;
    __private::main::<Forwarder>()
}
