::core::compile_error! {
    "port 8080 is out of range: FunctionGraph posts events to ports 8081 to 8090 only"
}
#[allow(unused)]
#[allow(clippy::unused_async)]
async fn hello(_: Invocation) {}
const __ONE_EXTENSION_PER_PROGRAM: () = ();
fn main() -> ::std::process::ExitCode {
    use ::fg_extension::__private;
    const _: () = __private::assert_root(__private::module_path!());
    const __PORT: __private::Port = __private::Port::new(8081);
    struct __Extension;
    impl __private::Extension for __Extension {
        const NAME: __private::ExtensionName = __private::ExtensionName::new(
            "extensionHello.sh",
        );
        const PORT: __private::Port = __PORT;
        async fn init(
            _: &__private::Registration,
        ) -> __private::Result<Self, __private::Error> {
            __private::Result::Ok(Self)
        }
        async fn invoke(
            &self,
            invocation: __private::Invocation,
        ) -> __private::Result<(), __private::Error> {
            let __invocation = (invocation,);
            let __output = (hello(__private::Parameter::receive(__invocation.0)).await,);
            __private::IntoHandlerResult::into_handler_result(__output.0)
        }
    }
    __private::main::<__Extension>()
}
