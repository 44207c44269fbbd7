//! The README and the example are one.

use std::path::PathBuf;

#[test]
fn program_in_the_readme_is_the_example() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let hello = std::fs::read_to_string(root.join("examples/hello/src/main.rs")).unwrap();
    let (_, rest) = readme
        .split_once("```rust\n")
        .expect("the README has a program");
    let (program, _) = rest.split_once("```\n").expect("the program ends");
    assert_eq!(program, hello);
}
