impl Archive {
    #[allow(clippy::unused_async, clippy::unused_self)]
    #[cfg(feature = "telemetry")]
    async fn keep(&self, events: Vec<TelemetryEvent>) {}
}
#[cfg(not(any(all(feature = "telemetry"))))]
::core::compile_error! {
    "`Archive` handles nothing here, since `#[cfg]` leaves no method with `#[invoke]` or `#[telemetry]`"
}
const _: () = {
    use ::fg_extension::__private;
    const _: () = __private::assert_root(__private::module_path!());
    const __PORT: __private::Port = __private::Port::new(8081);
    #[cfg(feature = "telemetry")]
    const __TELEMETRY_PORT: __private::Port = __private::Port::new(8082);
    impl __private::Extension for Archive {
        const NAME: __private::ExtensionName = __private::ExtensionName::new(
            "extensionArchive.sh",
        );
        const PORT: __private::Port = __PORT;
        const SHUTS_DOWN: bool = false;
        async fn init(
            _: &__private::Registration,
        ) -> __private::Result<Self, __private::Error> {
            __private::Result::Ok(<Archive as __private::WithoutInit>::without_init())
        }
        async fn invoke(
            &self,
            _: __private::Invocation,
        ) -> __private::Result<(), __private::Error> {
            __private::Result::Ok(())
        }
        #[cfg(feature = "telemetry")]
        const TELEMETRY: __private::Option<__private::Subscription> = __private::Option::Some(
            __private::Subscription::new(
                __TELEMETRY_PORT,
                &[__private::TelemetryType::Extension],
            ),
        );
        #[cfg(feature = "telemetry")]
        async fn telemetry(
            &self,
            events: __private::Vec<__private::TelemetryEvent>,
        ) -> __private::Result<(), __private::Error> {
            let __argument = (events,);
            let __output = (
                Self::keep(self, __private::Parameter::receive(__argument.0)).await,
            );
            __private::IntoOutcome::into_outcome(__output.0)
        }
    }
};
fn main() -> ::std::process::ExitCode {
    use ::fg_extension::__private;
    __private::main::<Archive>()
}
