//! Explains builds that fail because of a C library, which cargo and the linker do not connect with a way out.

use std::path::Path;

use serde::Deserialize;

use crate::cargo::{cargo, stdout_of};

/// The features of `-sys` crates that make them compile the library, or link it statically.
const FEATURES: [&str; 4] = ["bundled", "vendored", "static", "static-link"];

/// What the output of a failed build says about the reason.
#[derive(Debug, Eq, PartialEq)]
enum Failure<'a> {
    /// A `-sys` crate did not find or build its library.
    BuildScript { package: &'a str },
    /// A `-sys` crate did not compile its C code.
    Compiler { package: &'a str },
    /// The linker did not find a library.
    Library { name: &'a str },
}

/// A package in the output of `cargo metadata`.
#[derive(Default, Deserialize)]
struct Package {
    name: String,
    version: String,
    /// The C library that the package links.
    links: Option<String>,
    features: serde_json::Map<String, serde_json::Value>,
}

/// Returns what to do about a failed build for the target, if a C library is the reason. `stderr` is what cargo printed,
/// and `manifest` the one that the user chose.
pub(crate) fn build_hint(stderr: &str, target: &str, manifest: Option<&Path>) -> Option<String> {
    let failure = Failure::find(stderr)?;
    let packages = packages(target, manifest);
    let mut packages = packages.iter();
    let package = match failure {
        Failure::BuildScript { package } | Failure::Compiler { package } => {
            packages.find(|it| it.name == package)
        }
        Failure::Library { name } => packages.find(|it| it.links.as_deref() == Some(name)),
    };
    Some(hint(&failure, package, target))
}

impl<'a> Failure<'a> {
    fn find(stderr: &'a str) -> Option<Self> {
        let script = after(stderr, "failed to run custom build command for `");
        let script = script.and_then(|rest| rest.split([' ', '`']).next());
        if let Some(package) = script.filter(|it| it.ends_with("-sys")) {
            let compiler = ["error occurred in cc-rs", "ailed to find tool"];
            return Some(if compiler.iter().any(|it| stderr.contains(it)) {
                Self::Compiler { package }
            } else {
                Self::BuildScript { package }
            });
        }
        // The messages of ld, of lld, and of rustc.
        let messages = [
            "cannot find -l",
            "unable to find library -l",
            "could not find native static library `",
        ];
        let rest = messages.iter().find_map(|message| after(stderr, message))?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_-+.".contains(c);
        let name = rest.split(|c| !is_name(c)).next()?;
        Some(Self::Library { name })
    }
}

fn hint(failure: &Failure<'_>, package: Option<&Package>, target: &str) -> String {
    let (musl, gnu) = (target.contains("-musl"), target.replace("-musl", "-gnu"));
    if let Failure::Compiler { package } = failure {
        let compiler = format!("CC_{}", target.replace('-', "_"));
        let tools = if musl { "install musl-tools, or " } else { "" };
        return format!(
            "the C code of {package} cannot be compiled for {target}; {tools}set {compiler} to a C compiler for that target"
        );
    }
    let what = match (failure, package) {
        (Failure::Library { name }, Some(package)) => {
            format!("{} needs the C library `{name}`, which", package.name)
        }
        (Failure::Library { name }, None) => format!("the C library `{name}`"),
        (Failure::BuildScript { package } | Failure::Compiler { package }, _) => {
            format!("the C library of {package}")
        }
    };
    let mut ways = Vec::new();
    let openssl = "openssl-sys";
    let is_openssl = match failure {
        Failure::BuildScript { package } | Failure::Compiler { package } => *package == openssl,
        Failure::Library { .. } => package.is_some_and(|it| it.name == openssl),
    };
    if is_openssl {
        ways.push("use rustls instead of native-tls in the crates that depend on it".to_owned());
    }
    let feature = package.and_then(|package| {
        let feature = FEATURES
            .iter()
            .find(|it| package.features.contains_key(**it))?;
        Some(format!(
            "let it build the library with `cargo add {}@{} --features {feature}`",
            package.name, package.version
        ))
    });
    ways.push(feature.unwrap_or_else(|| {
        "enable a feature of the crate that builds or includes the library, if it has one (often `bundled`, `vendored` or \
         `static`)"
            .to_owned()
    }));
    let library = match failure {
        Failure::Library { name } => format!("lib{name}.a"),
        _ => "the library".to_owned(),
    };
    ways.push(format!("install {library} built for {target}"));
    if musl {
        ways.push(format!(
            "install its static version for glibc and add --target {gnu}"
        ));
    }
    format!(
        "{what} cannot be linked for {target}; {}",
        ways.join(", or ")
    )
}

/// Returns the packages that the build depends on, and none if cargo cannot determine them.
fn packages(target: &str, manifest: Option<&Path>) -> Vec<Package> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let mut command = cargo();
    command.args(["metadata", "--offline", "--format-version=1"]);
    // Packages of other targets may not have been downloaded.
    command.args(["--filter-platform", target]);
    if let Some(manifest) = manifest {
        command.arg("--manifest-path").arg(manifest);
    }
    let metadata = stdout_of(&mut command).ok();
    let metadata = metadata.and_then(|it| serde_json::from_str::<Metadata>(&it).ok());
    metadata.map(|it| it.packages).unwrap_or_default()
}

/// Returns the text after the first occurrence of `mark`.
fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.split_once(mark).map(|(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::{Failure, Package, hint};

    const MUSL: &str = "x86_64-unknown-linux-musl";

    #[test]
    fn failures_are_found_in_the_output() {
        for (stderr, expected) in [
            (
                "error: failed to run custom build command for `openssl-sys v0.9.109`\n  Could not find directory",
                Some(Failure::BuildScript {
                    package: "openssl-sys",
                }),
            ),
            (
                "\u{1b}[1merror\u{1b}[0m: failed to run custom build command for `libz-sys v1.1.20`\nerror occurred in cc-rs: x",
                Some(Failure::Compiler {
                    package: "libz-sys",
                }),
            ),
            (
                "error: failed to run custom build command for `night-watch v0.1.0 (/a)`",
                None,
            ),
            (
                "/usr/bin/ld: cannot find -lsqlite3: No such file or directory\n",
                Some(Failure::Library { name: "sqlite3" }),
            ),
            (
                "rust-lld: error: unable to find library -lfoo\n",
                Some(Failure::Library { name: "foo" }),
            ),
            (
                "error: could not find native static library `foo_1`, perhaps an -L flag is missing?",
                Some(Failure::Library { name: "foo_1" }),
            ),
            ("error[E0425]: cannot find value `x` in this scope", None),
        ] {
            assert_eq!(Failure::find(stderr), expected, "{stderr}");
        }
    }

    #[test]
    fn hint_names_the_way_out() {
        let package = Package {
            name: "openssl-sys".to_owned(),
            version: "0.9.109".to_owned(),
            features: serde_json::Map::from_iter([("vendored".to_owned(), true.into())]),
            ..Package::default()
        };
        let script = Failure::BuildScript {
            package: "openssl-sys",
        };
        assert_eq!(
            hint(&script, Some(&package), MUSL),
            "the C library of openssl-sys cannot be linked for x86_64-unknown-linux-musl; use rustls instead of native-tls in \
             the crates that depend on it, or let it build the library with `cargo add openssl-sys@0.9.109 --features \
             vendored`, or install the library built for x86_64-unknown-linux-musl, or install its static version for glibc \
             and add --target x86_64-unknown-linux-gnu"
        );
        assert_eq!(
            hint(
                &Failure::Library { name: "foo" },
                None,
                "x86_64-unknown-linux-gnu"
            ),
            "the C library `foo` cannot be linked for x86_64-unknown-linux-gnu; enable a feature of the crate that builds or \
             includes the library, if it has one (often `bundled`, `vendored` or `static`), or install libfoo.a built for \
             x86_64-unknown-linux-gnu"
        );
        let compiler = Failure::Compiler {
            package: "libz-sys",
        };
        assert!(hint(&compiler, None, MUSL).starts_with(
            "the C code of libz-sys cannot be compiled for x86_64-unknown-linux-musl; install musl-tools, or set \
             CC_x86_64_unknown_linux_musl to a C compiler"
        ));
    }
}
