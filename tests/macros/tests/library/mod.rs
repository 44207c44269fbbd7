//! `#[extension]` in a library, where nothing calls the generated `main`.
//!
//! trybuild compiles programs only, so this test runs rustc, with the variables that Cargo sets for each kind of target.

use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = r#"
#[fg_extension::extension(name = "extensionHello.sh", port = 8081)]
async fn hello(_: fg_extension::Invocation) {}
"#;

#[test]
fn library_is_rejected_and_a_program_in_the_same_file_is_not() {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("library");
    std::fs::create_dir_all(package.join("src")).expect("the directory can be created");
    std::fs::write(package.join("src/lib.rs"), SOURCE).expect("the file can be written");

    let (is_valid, library) = compile(&package, "lib", &[("CARGO_CRATE_NAME", "hello")]);
    assert!(
        library.contains(
            "error: `#[extension]` generates `main`, so it cannot be used in a library; \
             move it from `lib.rs` to `main.rs`"
        ),
        "{library}"
    );
    assert!(!is_valid && !library.contains("warning"), "{library}");

    let program = [("CARGO_CRATE_NAME", "hello"), ("CARGO_BIN_NAME", "hello")];
    let (is_valid, messages) = compile(&package, "bin", &program);
    assert!(is_valid, "{messages}");
    // Without Cargo, the file name says nothing.
    let (is_valid, messages) = compile(&package, "lib", &[]);
    assert!(is_valid, "{messages}");
}

/// Checks `src/lib.rs`, and returns whether it is valid, with the messages of rustc.
fn compile(package: &Path, crate_type: &str, variables: &[(&str, &str)]) -> (bool, String) {
    let dependencies = dependencies();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .current_dir(package)
        .args(["src/lib.rs", "--edition=2024", "--emit=metadata"])
        .args(["--crate-type", crate_type, "-L"])
        .arg(&dependencies)
        .arg("--extern")
        .arg(format!(
            "fg_extension={}",
            newest_library(&dependencies).display()
        ))
        .env_remove("CARGO_CRATE_NAME")
        .env_remove("CARGO_BIN_NAME")
        .envs(variables.iter().copied())
        .output()
        .expect("rustc runs");
    let messages = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), messages)
}

/// Returns the directory in which Cargo has built the dependencies of this test.
fn dependencies() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this program");
    test.parent().expect("a program is in a directory").into()
}

/// Returns the newest build of fg-extension. There may be several, with different features.
fn newest_library(dependencies: &Path) -> PathBuf {
    let files = std::fs::read_dir(dependencies).expect("a directory");
    let libraries = files
        .map(|file| file.expect("a file").path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("libfg_extension-") && name.ends_with(".rlib")
        });
    let modified = |path: &PathBuf| std::fs::metadata(path).and_then(|it| it.modified()).ok();
    libraries
        .max_by_key(modified)
        .expect("fg-extension is built")
}
