//! What compiles: each program registers, is invoked and shuts down.

use std::path::{Path, PathBuf};

use fg_emulator::{Error, Platform};

const MANIFEST: &str = include_str!("../../Cargo.toml");

#[tokio::test]
async fn programs_register_and_shut_down() -> Result<(), Error> {
    for (program, source) in programs() {
        let platform = Platform::start().await?;
        platform.boot_bin(script_name(&source), &program).await?;
        // Some of them return errors, so the status does not matter; the response does.
        platform.invoke().await?;
        let shutdown = platform.shutdown().await?;
        assert!(shutdown.is_clean(), "{}: {shutdown:?}", program.display());
    }
    Ok(())
}

/// Each program as cargo has built it, with its source.
fn programs() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_BIN_EXE_function-unit"))
        .parent()
        .expect("a program is in a folder");
    let mut programs = Vec::new();
    for topic in std::fs::read_dir("ui").expect("the tests run in their package's folder") {
        let topic = topic.expect("a topic").path();
        for source in std::fs::read_dir(topic.join("pass")).expect("a folder of the topic") {
            let source = source.expect("a file").path();
            let name = format!(
                "{}-{}",
                topic.file_name().expect("a name").display(),
                source.file_stem().expect("a name").display()
            );
            let line = format!(
                "    {{ name = \"{name}\", path = \"{}\", test = false, doc = false }},\n",
                source.display()
            );
            assert!(
                MANIFEST.contains(&line),
                "Cargo.toml lacks this line:\n{line}"
            );
            let text = std::fs::read_to_string(&source).expect("the source is text");
            programs.push((folder.join(name), text));
        }
    }
    // cargo finds out about a line without a program.
    programs.sort();
    programs
}

/// The first literal of the program that looks like one.
fn script_name(source: &str) -> &str {
    source
        .split('"')
        .find(|literal| literal.starts_with("extension") && literal.ends_with(".sh"))
        .expect("the program has a script name")
}
