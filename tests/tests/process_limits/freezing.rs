//! Freezes in every phase of an extension, with each [`Freezer`].
//!
//! After the thaw, everything that was acknowledged is delivered, the extension has registered once, and no timeout has
//! counted the frozen time.

use std::time::Duration;

use fg_extension_tests::{
    Client, Extension, ScriptedPlatform, ScriptedResponse, Start, event, request,
};
use nix::sys::signal::Signal;

use super::freezer::Freezer;
use super::ledger::{Balance, Ledger};
use super::{INVOKE, LEDGER, invoke};

/// Longer than each timeout of [`Frozen`] that must not be charged with it.
const FREEZE: Duration = Duration::from_millis(2500);

/// An extension that can be frozen. It is dropped before its freezer, which is a control group of the process.
struct Frozen {
    extension: Extension,
    platform: ScriptedPlatform,
    ledger: Ledger,
    freezer: Freezer,
}

impl Frozen {
    fn start(freezer: Freezer, responses: &[ScriptedResponse], env: &[(&str, &str)]) -> Self {
        let platform = ScriptedPlatform::start(responses.iter().cloned());
        let ledger = Ledger::new();
        let mut start = Start::new(LEDGER)
            .in_own_group()
            .env("LEDGER", ledger.file())
            .env("FG_REGISTER_TIMEOUT", "2s")
            .env("FG_SHUTDOWN_TIMEOUT", "2s")
            // The handler may take half of it.
            .env("FG_TELEMETRY_TIMEOUT", "4s")
            .with(&platform);
        for (name, value) in env {
            start = start.env(name, value);
        }
        let extension = start.start();
        freezer.adopt(&extension);
        Self {
            extension,
            platform,
            ledger,
            freezer,
        }
    }

    /// Starts an extension, and waits until it has registered and subscribed.
    fn registered(freezer: Freezer, env: &[(&str, &str)]) -> Self {
        let frozen = Self::start(freezer, &[ScriptedResponse::registered()], env);
        frozen.await_registration();
        assert!(frozen.platform.request().starts_with("POST /telemetry "));
        frozen
    }

    fn await_registration(&self) {
        let request = self.platform.request();
        assert!(
            request.starts_with("POST /extension/register "),
            "{request}"
        );
    }

    /// Freezes the extension for longer than its timeouts.
    fn freeze<T>(&self, action: impl FnOnce() -> T) -> T {
        self.freezer.freeze(&self.extension, FREEZE, action)
    }

    /// Sends an invocation that waits for a line on standard input, and waits until it is handled.
    fn hold(&mut self) -> Client {
        let mut client = Client::connect(self.extension.port());
        client.send(request("POST", INVOKE, event("hold")));
        self.extension.wait_for("invoked hold");
        client
    }

    /// Posts a batch whose handler waits for a line on standard input, and waits until it is called.
    fn post_held(&mut self, call: u32) {
        assert_eq!(self.ledger.post(self.extension.port(), 3), 200);
        self.extension.wait_for(&format!("call {call}"));
    }

    /// Shuts the extension down, and asserts that nothing is lost or logged, and that it has registered only as often as
    /// [`await_registration`](Self::await_registration) was called.
    #[track_caller]
    fn assert_unharmed(self, acknowledged: usize) {
        self.extension.signal(Signal::SIGTERM);
        let _ = self.assert_unharmed_after_shutdown(acknowledged);
    }

    #[track_caller]
    fn assert_unharmed_after_shutdown(self, acknowledged: usize) -> Freezer {
        let exited = self.extension.wait();
        let expected = Balance {
            acknowledged,
            lost: 0,
        };
        assert_eq!(self.ledger.assert_balanced(&exited), expected);
        assert_eq!(exited.stderr, "");
        let registered = "POST /extension/register ";
        while let Some(request) = self.platform.try_request() {
            assert!(!request.starts_with(registered), "it registered again");
        }
        self.freezer
    }
}

#[test]
fn before_the_registration_reply() {
    Freezer::each(|freezer| {
        let responses = [ScriptedResponse::Silence, ScriptedResponse::registered()];
        let frozen = Frozen::start(freezer, &responses, &[]);
        frozen.await_registration();
        // The response arrives after the thaw, so it cannot be what ends the wait.
        frozen.freeze(|| {});
        frozen.platform.respond(&ScriptedResponse::registered());
        assert!(frozen.platform.request().starts_with("POST /telemetry "));
        assert_eq!(invoke(&frozen.extension, "1"), 200);
        assert_eq!(frozen.ledger.post(frozen.extension.port(), 3), 200);
        frozen.assert_unharmed(3);
    });
}

#[test]
fn during_the_back_off_of_the_registration() {
    Freezer::each(|freezer| {
        let responses = [
            ScriptedResponse::status("503 Service Unavailable", ""),
            ScriptedResponse::registered(),
        ];
        let frozen = Frozen::start(freezer, &responses, &[]);
        frozen.await_registration();
        frozen.freeze(|| {});
        frozen.await_registration();
        assert_eq!(invoke(&frozen.extension, "1"), 200);
        frozen.assert_unharmed(0);
    });
}

/// What arrives before `init` has completed is queued, also during a freeze.
#[test]
fn between_the_registration_and_the_first_invocation() {
    Freezer::each(|freezer| {
        let mut frozen = Frozen::start(
            freezer,
            &[ScriptedResponse::registered()],
            &[("INIT", "ask")],
        );
        frozen.await_registration();
        frozen.extension.wait_for("init");
        let port = frozen.extension.port();
        let batch = frozen.ledger.batch(3, 10);
        let (mut invocation, mut telemetry) = frozen.freeze(|| {
            let mut clients = (Client::connect(port), Client::connect(port));
            clients.0.send(request("POST", INVOKE, event("1")));
            clients.1.send(request("POST", "/", &batch.body));
            clients
        });
        frozen.extension.type_line("go on");
        assert_eq!(invocation.receive().status, 200);
        frozen.ledger.settle(&batch, telemetry.receive().status);
        frozen.assert_unharmed(3);
    });
}

#[test]
fn with_an_invocation_in_flight() {
    Freezer::each(|freezer| {
        let mut frozen = Frozen::registered(freezer, &[]);
        let mut client = frozen.hold();
        // The timeout of the handler is 2 s.
        frozen.freeze(|| {});
        // By then, the timers that are due have fired.
        assert_eq!(invoke(&frozen.extension, "1"), 200);
        frozen.extension.type_line("go on");
        assert_eq!(client.receive().status, 200);
        frozen.assert_unharmed(0);
    });
}

#[test]
fn with_half_received_requests() {
    // Such a request is dropped after 5 s.
    const LONG: Duration = Duration::from_millis(5500);
    Freezer::each(|freezer| {
        let frozen = Frozen::registered(freezer, &[]);
        let port = frozen.extension.port();
        let batch = frozen.ledger.batch(3, 10);
        let mut halves = Vec::new();
        let (invocation, telemetry) = (
            request("POST", INVOKE, event("1")),
            request("POST", "/", &batch.body),
        );
        for (whole, length) in [
            (&invocation, 10),
            (&invocation, invocation.len() - 10),
            (&telemetry, telemetry.len() - 10),
        ] {
            let mut client = Client::connect(port);
            // The first request shows that the connection was accepted.
            client.send(request("POST", INVOKE, event("1")));
            assert_eq!(client.receive().status, 200);
            let (first, rest) = whole.split_at(length);
            client.send(first);
            halves.push((client, rest));
        }
        frozen.freezer.freeze(&frozen.extension, LONG, || {});
        assert_eq!(invoke(&frozen.extension, "1"), 200);
        let mut status = 0;
        for (client, rest) in &mut halves {
            client.send(rest);
            status = client.receive().status;
            assert_eq!(status, 200);
        }
        frozen.ledger.settle(&batch, status);
        frozen.assert_unharmed(3);
    });
}

#[test]
fn while_the_telemetry_handler_runs() {
    Freezer::each(|freezer| {
        let mut frozen = Frozen::registered(freezer, &[("HANDLER", "ask")]);
        frozen.post_held(1);
        // Is buffered.
        assert_eq!(frozen.ledger.post(frozen.extension.port(), 3), 200);
        frozen.freeze(|| {});
        assert_eq!(invoke(&frozen.extension, "1"), 200);
        frozen.extension.type_line("go on");
        frozen.extension.wait_for("call 2");
        frozen.extension.type_line("go on");
        frozen.assert_unharmed(6);
    });
}

#[test]
fn during_the_back_off_of_the_telemetry_handler() {
    Freezer::each(|freezer| {
        let env = [("HANDLER", "ask"), ("FG_LOG", "error")];
        let mut frozen = Frozen::registered(freezer, &env);
        frozen.post_held(1);
        // From then on, a pause takes 400 ms.
        for call in 2..=4 {
            frozen.extension.type_line("fail");
            frozen.extension.wait_for(&format!("call {call}"));
        }
        frozen.extension.type_line("fail");
        // The handler has returned when this is handled.
        assert_eq!(invoke(&frozen.extension, "1"), 200);
        frozen.freeze(|| {});
        frozen.extension.wait_for("call 5");
        frozen.extension.type_line("go on");
        frozen.assert_unharmed(3);
    });
}

#[test]
fn during_the_shutdown() {
    Freezer::each(|freezer| {
        let env = [("HANDLER", "ask"), ("FG_LOG", "info")];
        let mut frozen = Frozen::registered(freezer, &env);
        frozen.post_held(1);
        let mut client = frozen.hold();
        frozen.extension.signal(Signal::SIGTERM);
        let line = "INFO extensionLedger.sh: received SIGTERM; shutting down";
        while frozen.extension.error_line() != line {}
        frozen.freeze(|| {});
        // Both wait for a line.
        frozen.extension.type_line("go on");
        frozen.extension.type_line("go on");
        assert_eq!(client.receive().status, 200);
        let _ = frozen.assert_unharmed_after_shutdown(3);
    });
}

/// The platform shuts an instance down that it has frozen long ago: the signal, an invocation and telemetry are all there
/// when the process continues.
#[test]
fn shutdown_that_is_requested_during_the_freeze() {
    Freezer::each(|freezer| {
        let mut frozen = Frozen::registered(freezer, &[("HANDLER", "ask")]);
        frozen.post_held(1);
        let port = frozen.extension.port();
        let batch = frozen.ledger.batch(3, 10);
        let (mut invocation, mut telemetry) = frozen.freeze(|| {
            let mut clients = (Client::connect(port), Client::connect(port));
            clients.0.send(request("POST", INVOKE, event("1")));
            clients.1.send(request("POST", "/", &batch.body));
            frozen.extension.signal(Signal::SIGTERM);
            clients
        });
        assert_eq!(invocation.receive().status, 200);
        frozen.ledger.settle(&batch, telemetry.receive().status);
        frozen.extension.type_line("go on");
        frozen.extension.wait_for("call 2");
        frozen.extension.type_line("go on");
        let _ = frozen.assert_unharmed_after_shutdown(6);
    });
}

/// The signal must not be seen before the requests that have arrived earlier, whichever thread the kernel wakes first.
#[test]
fn request_that_arrives_before_the_signal_is_handled() {
    Freezer::each(|freezer| {
        // It was dropped in one of twenty shutdowns.
        let mut freezer = Some(freezer);
        for _ in 0..30 {
            let taken = freezer.take().expect("it was returned");
            let frozen = Frozen::registered(taken, &[]);
            let port = frozen.extension.port();
            let mut idle = Client::connect(port);
            idle.send(request("POST", INVOKE, event("1")));
            assert_eq!(idle.receive().status, 200);
            let batch = frozen.ledger.batch(3, 10);
            let mut new = [Client::connect(port), Client::connect(port)];
            frozen
                .freezer
                .freeze(&frozen.extension, Duration::ZERO, || {
                    idle.send(request("POST", INVOKE, event("1")));
                    new[0].send(request("POST", INVOKE, event("1")));
                    new[1].send(request("POST", "/", &batch.body));
                    frozen.extension.signal(Signal::SIGTERM);
                });
            assert_eq!(idle.receive().status, 200);
            assert_eq!(new[0].receive().status, 200);
            frozen.ledger.settle(&batch, new[1].receive().status);
            freezer = Some(frozen.assert_unharmed_after_shutdown(3));
        }
    });
}

/// Freezes and thaws the extension many times, while it handles invocations and telemetry.
fn flicker(freezes: u32) {
    Freezer::each(|freezer| {
        let frozen = Frozen::registered(freezer, &[("HANDLER", "slow")]);
        let port = frozen.extension.port();
        let mut client = Client::connect(port);
        let mut batches = 0;
        for i in 0..freezes {
            let batch = frozen.ledger.batch(7, 10);
            // A request that is complete before the freeze, during it, or after it.
            let bytes = request("POST", "/", &batch.body);
            let (first, rest) = bytes.split_at(match i % 4 {
                0 => bytes.len(),
                1 => bytes.len() - 5,
                2 => 30,
                _ => 0,
            });
            client.send(first);
            let short = Duration::from_millis(u64::from(i * 37 % 90));
            let sent = frozen.freezer.freeze(&frozen.extension, short, || {
                let sent = i % 2 == 1;
                if sent {
                    client.send(rest);
                }
                sent
            });
            if !sent {
                client.send(rest);
            }
            let status = client.receive().status;
            assert_eq!(status, 200);
            frozen.ledger.settle(&batch, status);
            batches += 1;
            assert_eq!(invoke(&frozen.extension, "1"), 200);
        }
        frozen.assert_unharmed(7 * batches);
    });
}

#[test]
fn many_short_freezes() {
    flicker(16);
}

#[test]
#[ignore = "takes a minute; `.ci/full` runs it"]
fn a_thousand_short_freezes() {
    flicker(1000);
}
