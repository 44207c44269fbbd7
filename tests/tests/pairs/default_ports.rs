//! The default ports of the examples, which must differ, so that any two of them can be in one function.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::programs::PROGRAMS;

#[test]
fn no_two_examples_have_the_same_port() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut owners = BTreeMap::new();
    for example in fs::read_dir(root.join("examples")).unwrap() {
        let example = example.unwrap();
        let package = example.file_name().into_string().unwrap();
        let ports = ports_of(&example.path());
        let program = PROGRAMS.iter().find(|it| it.package == package);
        match program.map(|it| it.subscribes) {
            Some(subscribes) => assert_eq!(ports.len(), 1 + usize::from(subscribes), "{package}"),
            None => assert!(!ports.is_empty(), "{package}"),
        }
        for port in ports {
            assert!((8081..=8090).contains(&port), "{port}");
            if let Some(other) = owners.insert(port, package.clone()) {
                panic!("{other} and {package} have the same port, {port}");
            }
        }
    }
    // The guide lists them.
    let page = fs::read_to_string(root.join("docs/guide/several-extensions.md")).unwrap();
    for (port, package) in owners {
        let rows = page
            .lines()
            .filter(|it| it.starts_with(&format!("| [`{package}`](")));
        let rows: Vec<_> = rows
            .filter(|it| it.contains(&format!("| {port} |")))
            .collect();
        assert_eq!(rows.len(), 1, "{package} with port {port} in {page}");
    }
}

/// Returns the ports in the source files where an example may have them.
fn ports_of(example: &Path) -> Vec<u16> {
    let files = ["src/main.rs", "src/settings.rs"].map(|it| example.join(it));
    let sources = files.iter().filter_map(|it| fs::read_to_string(it).ok());
    sources.flat_map(|source| ports(&source)).collect()
}

/// Returns the numbers after `port = ` in attributes, and after `Port::new(` and `PORT: u16 = ` of constants.
fn ports(source: &str) -> Vec<u16> {
    let code = source
        .lines()
        .filter(|it| !it.trim_start().starts_with("//"));
    let markers = ["port = ", "Port::new(", "PORT: u16 = "];
    let after = code.flat_map(|line| markers.map(|it| line.split_once(it)));
    let numbers = after.flatten().map(|(_, rest)| rest);
    numbers
        .filter_map(|it| {
            it.split(|it: char| !it.is_ascii_digit())
                .next()?
                .parse()
                .ok()
        })
        .collect()
}

#[test]
fn ports_are_found_in_attributes_and_constants() {
    let source = "#[extension(port = 8081)]\n    #[telemetry(port = 8082, types(platform))]\n// port = 8083\n\
                  const PORT: Port = Port::new(8084);\nconst A_PORT: u16 = 8085;\nlet port = port();";
    assert_eq!(ports(source), [8081, 8082, 8084, 8085]);
}
