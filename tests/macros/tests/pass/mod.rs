//! Programs that compile. Each registers, is invoked and shuts down.

use std::path::{Path, PathBuf};

use fg_emulator::{Error, Platform};

const MANIFEST: &str = include_str!("../../Cargo.toml");

#[tokio::test]
async fn valid_programs_register_handle_an_invocation_and_shut_down() -> Result<(), Error> {
    for (program, source) in programs() {
        let platform = Platform::start().await?;
        platform.boot_bin(script_name(&source), &program).await?;
        // The status is not checked, because some programs return an error.
        platform.invoke().await?;
        let shutdown = platform.shutdown().await?;
        assert!(shutdown.is_clean(), "{}: {shutdown:?}", program.display());
    }
    Ok(())
}

/// Returns the path of each program that Cargo built, with its source.
fn programs() -> Vec<(PathBuf, String)> {
    let directory = Path::new(env!("CARGO_BIN_EXE_function-returns_unit"))
        .parent()
        .expect("a program is in a directory");
    let mut programs = Vec::new();
    for topic in std::fs::read_dir("ui").expect("the tests run in their package's directory") {
        let topic = topic.expect("a topic").path();
        // Some mistakes have no program that compiles.
        let Ok(sources) = std::fs::read_dir(topic.join("pass")) else {
            continue;
        };
        for source in sources {
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
                "Cargo.toml must contain this line:\n{line}"
            );
            let text = std::fs::read_to_string(&source).expect("the source is text");
            programs.push((directory.join(name), text));
        }
    }
    // Cargo itself reports a line whose program does not exist.
    programs.sort();
    programs
}

/// Returns the first string literal of the program that is a script name.
fn script_name(source: &str) -> &str {
    source
        .split('"')
        .find(|literal| literal.starts_with("extension") && literal.ends_with(".sh"))
        .expect("the program has a script name")
}
