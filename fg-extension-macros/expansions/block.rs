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
    async fn on_telemetry(&self, events: Vec<TelemetryEvent>) -> Result<(), Error> {
        self.send(events).await
    }
    #[allow(clippy::unused_async, clippy::unused_self)]
    async fn flush(&self) {}
    fn note(&self, invocation: Invocation) -> Result<(), Error> {
        Ok(())
    }
}
const _: () = {
    use ::fg_extension::__private;
    const _: () = __private::assert_root(__private::module_path!());
    const __PORT: __private::Port = __private::Port::new(8081);
    const __TELEMETRY_PORT: __private::Port = __private::Port::new(8082);
    impl __private::Extension for Forwarder {
        const NAME: __private::ExtensionName = __private::ExtensionName::new(
            "extensionForwarder.sh",
        );
        const PORT: __private::Port = __PORT;
        async fn init(
            registration: &__private::Registration,
        ) -> __private::Result<Self, __private::Error> {
            let __argument = (registration,);
            let __output = (
                Self::connect(__private::Parameter::receive(__argument.0)).await,
            );
            __private::IntoExtension::<Self>::into_extension(__output.0)
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
        const TELEMETRY: __private::Option<__private::Subscription> = __private::Option::Some(
            __private::Subscription::new(
                __TELEMETRY_PORT,
                &[__private::TelemetryType::Platform, __private::TelemetryType::Function],
            ),
        );
        async fn telemetry(
            &self,
            events: __private::Vec<__private::TelemetryEvent>,
        ) -> __private::Result<(), __private::Error> {
            let __argument = (events,);
            let __output = (
                Self::on_telemetry(self, __private::Parameter::receive(__argument.0))
                    .await,
            );
            __private::IntoOutcome::into_outcome(__output.0)
        }
        async fn shutdown(&self) -> __private::Result<(), __private::Error> {
            let __output = (Self::flush(self).await,);
            __private::IntoOutcome::into_outcome(__output.0)
        }
    }
};
fn main() -> ::std::process::ExitCode {
    use ::fg_extension::__private;
    __private::main::<Forwarder>()
}
