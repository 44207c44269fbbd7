impl Forwarder {
    const BATCH: usize = 100;
    #[allow(clippy::unused_async, clippy::unused_self)]
    async fn connect(registration: &Registration) -> Result<Self, Error> {
        Self::new(registration).await
    }
    #[allow(clippy::unused_async, clippy::unused_self)]
    async fn on_invoke(&self, invocation: Invocation) -> Result<(), Error> {
        self.note(invocation)
    }
    #[allow(clippy::unused_async, clippy::unused_self)]
    async fn on_telemetry(
        &self,
        events: Vec<TelemetryEvent>,
        counters: &TelemetryCounters,
    ) -> Result<(), Error> {
        self.send(events, counters.lost()).await
    }
    #[allow(clippy::unused_async, clippy::unused_self)]
    async fn flush(&self) {}
    fn note(&self, invocation: Invocation) -> Result<(), Error> {
        Ok(())
    }
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
            registration: &__private::Registration,
        ) -> __private::Result<Self, __private::Error> {
            let __registration = (registration,);
            let __output = (
                Self::connect(__private::Parameter::receive(__registration.0)).await,
            );
            __private::IntoInitResult::<Self>::into_init_result(__output.0)
        }
        async fn invoke(
            &self,
            invocation: __private::Invocation,
        ) -> __private::Result<(), __private::Error> {
            let __invocation = (invocation,);
            let __output = (
                Self::on_invoke(self, __private::Parameter::receive(__invocation.0))
                    .await,
            );
            __private::IntoHandlerResult::into_handler_result(__output.0)
        }
        async fn shutdown(&self) -> __private::Result<(), __private::Error> {
            let __output = (Self::flush(self).await,);
            __private::IntoHandlerResult::into_handler_result(__output.0)
        }
    }
    const __TELEMETRY_PORT: __private::Port = __private::Port::new(8082);
    impl __private::TelemetryHandler for Forwarder {
        const SUBSCRIPTION: __private::Subscription = __private::Subscription::new(
            __TELEMETRY_PORT,
            &[__private::TelemetryType::Platform, __private::TelemetryType::Function],
        );
        async fn telemetry(
            &self,
            events: __private::Vec<__private::TelemetryEvent>,
            counters: &__private::TelemetryCounters,
        ) -> __private::Result<(), __private::Error> {
            let __events = (events,);
            let __counters = (counters,);
            let __output = (
                Self::on_telemetry(
                        self,
                        __private::Parameter::receive(__events.0),
                        __private::Parameter::receive(__counters.0),
                    )
                    .await,
            );
            __private::IntoHandlerResult::into_handler_result(__output.0)
        }
    }
};
fn main() -> ::std::process::ExitCode {
    use ::fg_extension::__private;
    __private::main_with_telemetry::<Forwarder>()
}
