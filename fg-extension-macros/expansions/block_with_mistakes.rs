::core::compile_error! {
    "port 8080 is out of range: FunctionGraph posts events to ports 8081 to 8090 only"
}
impl Forwarder {
    #[allow(clippy::unused_async, clippy::unused_self)]
    async fn on_invoke(&self, _: Invocation) {}
}
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
            __private::Result::Ok(<Forwarder as __private::WithoutInit>::without_init())
        }
        async fn invoke(
            &self,
            invocation: __private::Invocation,
        ) -> __private::Result<(), __private::Error> {
            let __argument = (invocation,);
            let __output = (
                Self::on_invoke(self, __private::Parameter::receive(__argument.0)).await,
            );
            __private::IntoOutcome::into_outcome(__output.0)
        }
    }
};
fn main() -> ::std::process::ExitCode {
    use ::fg_extension::__private;
    __private::main::<Forwarder>()
}
