impl Archive {
    #[allow(clippy::unused_async, clippy::unused_self)]
    #[cfg(feature = "telemetry")]
    async fn append(&self, events: Vec<TelemetryEvent>) {}
}
const __ONE_EXTENSION_PER_PROGRAM: () = ();
#[cfg(not(any(all(feature = "telemetry"))))]
::core::compile_error! {
    "`#[cfg]` disables every method of `Archive` with `#[invoke]` or `#[telemetry]`; keep at least one of them in every configuration"
}
const _: () = {
    use ::fg_extension::__private;
    const _: () = __private::assert_root(__private::module_path!());
    const __PORT: __private::Port = __private::Port::new(8081);
    impl __private::Extension for Archive {
        const NAME: __private::ExtensionName = __private::ExtensionName::new(
            "extensionArchive.sh",
        );
        const PORT: __private::Port = __PORT;
        async fn init(
            _: &__private::Registration,
        ) -> __private::Result<Self, __private::Error> {
            __private::Result::Ok(<Archive as __private::DefaultInit>::default_init())
        }
        async fn invoke(
            &self,
            _: __private::Invocation,
        ) -> __private::Result<(), __private::Error> {
            __private::Result::Ok(())
        }
    }
    #[cfg(feature = "telemetry")]
    const __TELEMETRY_PORT: __private::Port = __private::Port::new(8082);
    #[cfg(feature = "telemetry")]
    impl __private::TelemetryHandler for Archive {
        const SUBSCRIPTION: __private::Subscription = __private::Subscription::new(
            __TELEMETRY_PORT,
            &[__private::TelemetryType::Extension],
        );
        async fn telemetry(
            &self,
            events: __private::Vec<__private::TelemetryEvent>,
            _: &__private::TelemetryCounters,
        ) -> __private::Result<(), __private::Error> {
            let __events = (events,);
            let __output = (
                Self::append(self, __private::Parameter::receive(__events.0)).await,
            );
            __private::IntoHandlerResult::into_handler_result(__output.0)
        }
    }
};
fn main() -> ::std::process::ExitCode {
    use ::fg_extension::__private;
    #[cfg(any(all(feature = "telemetry")))]
    { __private::main_with_telemetry::<Archive>() }
    #[cfg(not(any(all(feature = "telemetry"))))] { __private::main::<Archive>() }
}
