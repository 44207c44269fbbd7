//! Boots the extension in a local FunctionGraph, with a source that fails, hangs and rotates.

mod fake_source;
mod functions;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use fake_source::{Behavior, FakeSource};
use fg_emulator::{ExtensionCommand, Platform};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

type TestResult = Result<(), Box<dyn std::error::Error>>;

const SCRIPT: &str = "extensionSecretsCache.sh";
const PROGRAM: &str = env!("CARGO_BIN_EXE_secrets-cache");

/// The shortest time to live, and a freeze that is longer.
const TTL: &str = "1s";
const FREEZE: Duration = Duration::from_millis(1100);

/// Returns a command with an address of its own, and a file for the token.
fn command(directory: &Path) -> (ExtensionCommand, SocketAddr) {
    static COUNT: AtomicU8 = AtomicU8::new(1);
    let process = std::process::id().to_be_bytes();
    let ip = [
        127,
        process[2],
        process[3],
        COUNT.fetch_add(1, Ordering::Relaxed),
    ];
    let address = SocketAddr::from((ip, 2773));
    let command = ExtensionCommand::new(SCRIPT, PROGRAM)
        .env("FG_SECRETS_ADDRESS", address.to_string())
        .env("FG_SECRETS_TOKEN_FILE", directory.join("token"))
        .env("FG_LOG", "trace")
        .lease_port();
    (command, address)
}

/// Requests a secret, and returns the response.
async fn get(address: SocketAddr, name: &str, token: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "GET /secrets/{name} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nX-Secrets-Token: {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    Ok(response)
}

#[tokio::test]
async fn values_outlive_a_freeze_and_a_source_that_fails() -> TestResult {
    let directory = tempfile::tempdir()?;
    let source = FakeSource::start(Behavior::Value("hunter2-first")).await?;
    let (command, address) = command(directory.path());
    let platform = Platform::start().await?;
    let command = command
        .env("FG_SECRETS_SOURCE", "http")
        .env(
            "FG_SECRETS_URL",
            format!("http://{}/{{name}}?key=hunter2-key", source.address),
        )
        .env("FG_SECRETS_HEADERS", "X-Vault-Token=hunter2-header")
        .env("FG_SECRETS_TTL", TTL)
        .env("FG_SECRETS_TIMEOUT", "200ms")
        .env("FG_SECRETS_PREFETCH", "db/password");
    platform.boot(command).await?;
    platform.wait_until_ready(SCRIPT).await?;

    let file = directory.path().join("token");
    assert_eq!(fs::metadata(&file)?.permissions().mode() & 0o777, 0o600);
    let token = fs::read_to_string(&file)?;
    let response = get(address, "db/password", &token).await?;
    assert!(response.ends_with("\r\n\r\nhunter2-first"), "{response}");
    let rejected = get(address, "db/password", "wrong").await?;
    assert!(rejected.starts_with("HTTP/1.1 401 "), "{rejected}");
    assert!(
        rejected.contains(&format!("send the content of {}", file.display())),
        "{rejected}"
    );

    // The value is rotated while the instance is frozen for longer than the value lives.
    source.set(Behavior::Value("hunter2-second"));
    platform.freeze();
    sleep(FREEZE).await;
    platform.invoke().await?.assert_ok();
    let response = get(address, "db/password", &token).await?;
    assert!(response.ends_with("\r\n\r\nhunter2-second"), "{response}");
    assert!(!response.contains("x-secret-stale"), "{response}");

    source.set(Behavior::Status("500 Oops"));
    platform.freeze();
    sleep(FREEZE).await;
    platform.invoke().await?.assert_ok();
    let response = get(address, "db/password", &token).await?;
    assert!(
        response.contains("\r\nx-secret-stale: true\r\n"),
        "{response}"
    );
    assert!(response.ends_with("\r\n\r\nhunter2-second"), "{response}");

    source.set(Behavior::Hang);
    let response = get(address, "other", &token).await?;
    assert!(response.starts_with("HTTP/1.1 504 "), "{response}");
    let response = get(address, "db/password", &token).await?;
    assert!(response.ends_with("\r\n\r\nhunter2-second"), "{response}");

    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    assert!(!file.exists(), "the file with the token is removed");
    let log = shutdown.extensions[0].stderr();
    let warning = "cannot fetch the secret `db/password`: the source responded with status 500";
    assert!(log.contains(warning), "{log}");
    assert!(!log.contains("hunter2") && !log.contains(&token), "{log}");
    assert_eq!(shutdown.extensions[0].stdout(), "");
    Ok(())
}

#[tokio::test]
async fn extension_without_a_source_says_what_to_set() -> TestResult {
    let directory = tempfile::tempdir()?;
    let (command, address) = command(directory.path());
    let platform = Platform::start().await?;
    platform.boot(command).await?;
    platform.wait_until_ready(SCRIPT).await?;
    platform.invoke().await?.assert_ok();
    let token = fs::read_to_string(directory.path().join("token"))?;
    let message = "no source of secrets is set; set FG_SECRETS_SOURCE to `file`, `http` or `csms`";
    let response = get(address, "db/password", &token).await?;
    assert!(response.starts_with("HTTP/1.1 502 "), "{response}");
    assert!(
        response.ends_with(&format!("\r\n\r\n{{\"error\":\"{message}\"}}")),
        "{response}"
    );

    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    let log = shutdown.extensions[0].stderr();
    assert!(
        log.contains(&format!(
            "ERROR extensionSecretsCache.sh: fg_secrets_cache: {message}\n"
        )),
        "{log}"
    );
    Ok(())
}

#[tokio::test]
async fn invalid_setting_is_reported() -> TestResult {
    let directory = tempfile::tempdir()?;
    let platform = Platform::start().await?;
    let (command, _) = command(directory.path());
    let command = command
        .env("FG_SECRETS_SOURCE", "http")
        .env("FG_SECRETS_URL", "http://vault.example/hunter2/{name}");
    platform.boot(command).await?;
    platform.wait_for_exit().await;
    let shutdown = platform.shutdown().await?;
    let exit = &shutdown.extensions[0];
    assert_eq!(exit.status.code(), Some(1));
    let expected = "ERROR extensionSecretsCache.sh: the extension failed to initialize: cannot read FG_SECRETS_URL from \
                    the environment: the value would send secrets without encryption; write `https://`, or the address of \
                    a proxy on 127.0.0.1\n";
    assert!(exit.stderr().ends_with(expected), "{}", exit.stderr());
    Ok(())
}
