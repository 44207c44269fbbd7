//! What the README shows is what the examples are.

use std::path::PathBuf;

#[test]
fn programs_in_the_readme_are_the_examples() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let readme = read("README.md");
    let programs: Vec<_> = readme
        .split("```rust\n")
        .skip(1)
        .map(|rest| rest.split_once("```\n").expect("the program ends").0)
        .collect();
    let [complete, with_state, with_telemetry, test] = programs[..] else {
        panic!("the README shows {} programs", programs.len());
    };
    assert_eq!(complete, read("examples/hello/src/main.rs"));
    assert_eq!(with_state, read("examples/audit-log/src/main.rs"));
    assert_eq!(
        with_telemetry,
        read("examples/telemetry-archive/src/main.rs")
    );
    assert_eq!(test, read("examples/hello/tests/boots.rs"));
}

#[test]
fn every_example_is_listed() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    for example in std::fs::read_dir(root.join("examples")).unwrap() {
        let name = example.unwrap().file_name().into_string().unwrap();
        let link = format!("[`{name}`](examples/{name}/src/main.rs)");
        assert!(readme.contains(&link), "the README has no {link}");
    }
}
