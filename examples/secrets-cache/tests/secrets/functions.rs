//! Runs the functions that the guide shows.

use std::io::ErrorKind;
use std::path::Path;

use fg_emulator::Platform;
use tokio::process::Command;

use super::{SCRIPT, TestResult, command};

const PYTHON: &str = "import index; print(index.handler({}, None)['body'])";
const NODE: &str = "require('./index').handler().then((it) => console.log(it.body))";

#[tokio::test]
async fn functions_of_the_guide_read_a_secret() -> TestResult {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = tempfile::tempdir()?;
    let (command, address) = command(directory.path());
    let platform = Platform::start().await?;
    let command = command
        .env("FG_SECRETS_SOURCE", "file")
        .env("FG_SECRETS_FILE", package.join("secrets.json"));
    platform.boot(command).await?;
    platform.wait_until_ready(SCRIPT).await?;
    for (program, arguments, expected) in [
        (
            "python3",
            &["-c", PYTHON][..],
            "the password has 28 characters\n",
        ),
        ("node", &["-e", NODE], "the password has 28 characters\n"),
        (
            "sh",
            &["secret.sh", "db/password"],
            "correct horse battery staple",
        ),
        (
            "sh",
            &["secret.sh", "other"],
            r#"{"error":"the source has no such secret"}"#,
        ),
    ] {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(package.join("functions"))
            .env("FG_SECRETS_ADDRESS", address.to_string())
            .env("FG_SECRETS_TOKEN_FILE", directory.path().join("token"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            // Must not be used.
            .env("http_proxy", "http://127.0.0.1:1")
            .output()
            .await;
        match output {
            Ok(output) => assert_eq!(String::from_utf8(output.stdout)?, expected, "{program}"),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                println!("SKIPPED the function for {program}, which is not installed");
            }
            Err(error) => return Err(error.into()),
        }
    }
    assert!(platform.shutdown().await?.is_clean());
    Ok(())
}
