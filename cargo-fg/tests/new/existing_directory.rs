//! New packages in directories that exist.

use std::fs;

use super::{files, new, read, stdout};

#[test]
fn package_is_created_in_an_existing_directory() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().join("night-watch");
    for (file, text) in [
        (".git/HEAD", "ref: refs/heads/main\n"),
        (".gitignore", "*.zip\n"),
        ("README.md", "# Night watch\n"),
    ] {
        let path = directory.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    // cargo rejects the package when its files exist already, and they are removed again.
    let before = files(&directory);
    fs::write(
        directory.join("../Cargo.toml"),
        "[workspace]\nmembers = [\"other\"]\n",
    )
    .unwrap();
    let output = new(&directory, &["."]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(files(&directory), before);
    assert_eq!(read(directory.join(".gitignore")), "*.zip\n");
    fs::remove_file(directory.join("../Cargo.toml")).unwrap();

    let printed = stdout(&new(&directory, &["."]));
    assert!(
        printed.starts_with("     Created `night-watch` from the example `hello`: extensionNightWatch.sh, port 8081\n")
            && printed.ends_with("\n        Next cargo fg dev\n             cargo test\n"),
        "{printed}"
    );
    let created = [
        ".gitignore",
        "Cargo.toml",
        "README.md",
        "src/main.rs",
        "tests/boots.rs",
    ];
    assert_eq!(files(&directory), created.map(|file| directory.join(file)));
    assert_eq!(read(directory.join("README.md")), "# Night watch\n");
    let ignored = read(directory.join(".gitignore"));
    assert!(
        ignored.starts_with("*.zip\n") && ignored.contains("/target"),
        "{ignored}"
    );

    let output = new(&directory, &["."]);
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: cannot create .: it already contains Cargo.toml, src/main.rs, tests/boots.rs; choose another name, or remove \
         what is there\n"
    );
}
