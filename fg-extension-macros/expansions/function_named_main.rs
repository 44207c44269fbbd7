#[cfg(unix)]
const __ONE_EXTENSION_PER_PROGRAM: () = ();
#[cfg(unix)]
fn main() -> ::std::process::ExitCode {
    use sdk::fg_extension::__private;
    #[allow(clippy::unused_async)]
    #[cfg(unix)]
    async fn main(_: Invocation) -> Result<(), Error> {
        Ok(())
    }
    const _: () = __private::assert_root(__private::module_path!());
    const __PORT: __private::Port = __private::Port::new(PORT);
    struct __Extension;
    impl __private::Extension for __Extension {
        const NAME: __private::ExtensionName = __private::ExtensionName::new(
            "extensionHello.sh",
        );
        const PORT: __private::Port = __PORT;
        const TIMEOUT: __private::Option<__private::Duration> = __private::Option::Some(
            __private::Duration::from_millis(1500u64),
        );
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
            let __output = (main(__private::Parameter::receive(__invocation.0)).await,);
            __private::IntoHandlerResult::into_handler_result(__output.0)
        }
    }
    __private::main::<__Extension>()
}
