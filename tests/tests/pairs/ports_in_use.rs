//! Two extensions that are set to the same port: which of them runs, and what the other one logs.

use fg_emulator::{Error, PortLease};

use super::collector::Collector;
use super::programs::{ARCHIVE, AUDIT_LOG, FORWARDER, HELLO, Program, one_at_a_time};
use super::together::{assert_both, platform, wait_for};

/// The two leased ports.
#[derive(Clone, Copy)]
enum At {
    A,
    B,
}

/// A pair whose second extension wants a port of the first.
struct Conflict {
    /// An extension, its own port, and its telemetry port.
    first: (Program, At, At),
    second: (Program, At, At),
    /// The setting that the second must change.
    setting: &'static str,
}

/// The second extension needs its own port.
const FATAL: [Conflict; 2] = [
    Conflict {
        first: (HELLO, At::A, At::A),
        second: (AUDIT_LOG, At::A, At::A),
        setting: "FG_EXTENSION_PORT",
    },
    Conflict {
        first: (ARCHIVE, At::A, At::B),
        second: (HELLO, At::B, At::B),
        setting: "FG_EXTENSION_PORT",
    },
];

/// The second extension runs without telemetry.
const WITHOUT_TELEMETRY: [Conflict; 2] = [
    Conflict {
        first: (HELLO, At::A, At::A),
        second: (ARCHIVE, At::B, At::A),
        setting: "FG_TELEMETRY_PORT",
    },
    // The first uses one port for both.
    Conflict {
        first: (ARCHIVE, At::A, At::A),
        second: (FORWARDER, At::B, At::A),
        setting: "FG_TELEMETRY_PORT",
    },
];

fn message(program: &Program, port: u16, setting: &str) -> String {
    format!(
        "cannot listen on 127.0.0.1:{port}: Address already in use (os error 98); set {setting} to a free port from 8081 \
         to 8090, as in `{}=<port>`\n",
        program.script
    )
}

/// The ports of one extension, in the settings that it reads.
fn command(
    (program, own, telemetry): &(Program, At, At),
    ports: [u16; 2],
    directory: &std::path::Path,
    collector: &Collector,
) -> fg_emulator::ExtensionCommand {
    let port = |at: &At| ports[*at as usize].to_string();
    program
        .command(directory, collector)
        .env("FG_EXTENSION_PORT", port(own))
        .env("FG_TELEMETRY_PORT", port(telemetry))
}

fn lease() -> ([PortLease; 2], [u16; 2]) {
    let leases = PortLease::acquire_pair().unwrap();
    let ports = [leases.0.port(), leases.1.port()];
    (leases.into(), ports)
}

#[tokio::test]
async fn extension_exits_if_its_port_is_in_use() -> Result<(), Error> {
    for conflict in FATAL {
        let _turn = one_at_a_time().await;
        let (_leases, ports) = tokio::task::spawn_blocking(lease).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let collector = Collector::start();
        let (platform, _) = platform().await?;
        let commands = [&conflict.first, &conflict.second]
            .map(|it| command(it, ports, directory.path(), &collector));
        let [first, second] = commands;
        platform.boot(first).await?;
        let error = platform.boot(second).await.unwrap_err();
        let exit = error.process_exit().unwrap();
        assert_eq!(exit.status.code(), Some(1));
        let (program, own, _) = &conflict.second;
        let message = message(program, ports[*own as usize], conflict.setting);
        assert_eq!(
            exit.stderr(),
            format!("ERROR {}: {message}", program.script)
        );
        // The first is not affected.
        platform.invoke().await?.assert_ok();
        assert!(platform.shutdown().await?.is_clean());
    }
    Ok(())
}

#[tokio::test]
async fn extension_runs_without_telemetry_if_its_telemetry_port_is_in_use() -> Result<(), Error> {
    for conflict in WITHOUT_TELEMETRY {
        let _turn = one_at_a_time().await;
        let (_leases, ports) = tokio::task::spawn_blocking(lease).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let collector = Collector::start();
        let (platform, mut printed) = platform().await?;
        let commands = [&conflict.first, &conflict.second]
            .map(|it| command(it, ports, directory.path(), &collector));
        for command in commands {
            platform.boot(command).await?;
        }
        let (program, _, telemetry) = &conflict.second;
        let message = message(program, ports[*telemetry as usize], conflict.setting);
        let expected = format!(
            "ERROR {}: continuing without telemetry: {message}",
            program.script
        );
        wait_for(&mut printed, |lines| {
            lines.iter().any(|it| *it == expected.trim_end())
        })
        .await;
        if conflict.first.0.subscribes {
            platform.wait_for_subscription().await?;
        }
        let trace_id = assert_both(&platform.invoke().await?);
        if conflict.first.0.subscribes {
            platform.wait_for_telemetry().await;
        }
        let shutdown = platform.shutdown().await?;
        assert!(shutdown.is_clean(), "{shutdown:?}");
        let exits = &shutdown.extensions;
        for (program, stderr) in [(&conflict.first.0, ""), (program, expected.as_str())] {
            let exit = exits.iter().find(|it| it.script == program.script).unwrap();
            assert_eq!(exit.stderr(), stderr);
            let is_subscribed = program.subscribes && stderr.is_empty();
            let ids = [trace_id.clone()];
            program.assert_complete(exit, &ids, is_subscribed, directory.path(), &collector);
        }
    }
    Ok(())
}
