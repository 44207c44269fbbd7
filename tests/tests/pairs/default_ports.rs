//! The default ports of the examples, which must differ, so that any two of them can be in one function.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::programs::PROGRAMS;

#[test]
fn no_two_examples_have_the_same_port() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut owners = BTreeMap::new();
    for program in PROGRAMS {
        let main = root
            .join("examples")
            .join(program.package)
            .join("src/main.rs");
        let ports = ports(&fs::read_to_string(main).unwrap());
        assert_eq!(
            ports.len(),
            1 + usize::from(program.subscribes),
            "{}",
            program.package
        );
        for port in ports {
            assert!((8081..=8090).contains(&port), "{port}");
            if let Some(other) = owners.insert(port, program.package) {
                panic!("{other} and {} have the same port, {port}", program.package);
            }
        }
    }
    let examples = fs::read_dir(root.join("examples")).unwrap();
    assert_eq!(
        examples.count(),
        PROGRAMS.len(),
        "an example is missing in PROGRAMS"
    );
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

/// Returns the numbers after `port = ` in attributes and in `Port::new(` of constants.
fn ports(source: &str) -> Vec<u16> {
    let code = source
        .lines()
        .filter(|it| !it.trim_start().starts_with("//"));
    let after = code.flat_map(|line| ["port = ", "Port::new("].map(|it| line.split_once(it)));
    let numbers = after.flatten().map(|(_, rest)| rest);
    numbers
        .map(|it| it.split(|it: char| !it.is_ascii_digit()).next().unwrap())
        .map(|it| it.parse().unwrap())
        .collect()
}

#[test]
fn ports_are_found_in_attributes_and_constants() {
    let source = "#[extension(port = 8081)]\n    #[telemetry(port = 8082, types(platform))]\n// port = 8083\n\
                  const PORT: Port = Port::new(8084);";
    assert_eq!(ports(source), [8081, 8082, 8084]);
}
