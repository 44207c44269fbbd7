//! Warns about flags that let rustc use instructions which the processors of FunctionGraph may lack.

use std::path::Path;

use anyhow::Context;
use toml::Value;

use super::build_plan::{BuildPlan, architecture, rustc};
use super::target_cfg::TargetCfg;
use crate::cargo::{cargo, configuration_files, stdout_of};

/// The flags that select instructions.
const FLAGS: [&str; 2] = ["target-cpu=", "target-feature="];

/// How many features a warning names.
const MAX_NAMED: usize = 5;

/// Returns a warning if flags of the user enable features that not every server has. Which processors FunctionGraph has is
/// unknown (?); for x86-64, every server since 2009 has the features of x86-64-v2 (I).
pub(crate) fn processor_warning(plan: &BuildPlan) -> Option<String> {
    let flags = processor_flags(&plan.target);
    if flags.is_empty() {
        return None;
    }
    let is_x86 = architecture(&plan.target) == "x86_64";
    let common = is_x86.then_some("-Ctarget-cpu=x86-64-v2");
    let mut arguments = vec!["--print", "cfg", "--target", &plan.target];
    arguments.extend(common);
    let common = features(&rustc(&arguments).ok()?);
    // If this fails, the build fails for the same reason.
    let enabled = features(&effective_cfg(plan).ok()?);
    let more: Vec<_> = enabled.iter().filter(|it| !common.contains(it)).collect();
    if more.is_empty() {
        return None;
    }
    let names: Vec<_> = more.iter().take(MAX_NAMED).map(|it| it.as_str()).collect();
    let rest = match more.len() - names.len() {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    };
    let way_out = if is_x86 {
        "use at most -Ctarget-cpu=x86-64-v2"
    } else {
        "remove the flag"
    };
    Some(format!(
        "{} lets the program use {}{rest}. It is unknown whether FunctionGraph's processors have these features, and on one \
         without them the program crashes (SIGILL); {way_out}",
        flags.join(" and "),
        names.join(", ")
    ))
}

/// Returns the configuration that rustc compiles a package with here. cargo determines the flags, for a package that is
/// empty, so nothing is compiled.
fn effective_cfg(plan: &BuildPlan) -> anyhow::Result<String> {
    let directory = tempfile::tempdir().context("cannot create a temporary directory")?;
    let path = |name| directory.path().join(name);
    let manifest =
        "[package]\nname = \"flags\"\nedition = \"2021\"\n[lib]\npath = \"lib.rs\"\n[workspace]\n";
    std::fs::write(path("Cargo.toml"), manifest)?;
    std::fs::write(path("lib.rs"), "")?;
    let mut command = cargo();
    command
        .args(["rustc", "--quiet", "--offline", "--manifest-path"])
        .arg(path("Cargo.toml"))
        .arg("--target-dir")
        .arg(path("target"))
        .args(&plan.options)
        .args(["--", "--print", "cfg"])
        .envs(plan.environment.iter().cloned());
    stdout_of(&mut command)
}

/// Returns the features of the processor in the output of `rustc --print cfg`.
fn features(cfg: &str) -> Vec<String> {
    let features = cfg.lines().filter_map(|line| {
        let feature = line.strip_prefix("target_feature=\"")?;
        feature.strip_suffix('"')
    });
    // This one is about linking.
    features
        .filter(|feature| *feature != "crt-static")
        .map(str::to_owned)
        .collect()
}

/// Returns the flags of the user that select instructions, each with its place, such as `-Ctarget-cpu=native in RUSTFLAGS`.
fn processor_flags(target: &str) -> Vec<String> {
    let variable = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
    if let Some((name, flags)) = variable("CARGO_ENCODED_RUSTFLAGS") {
        return selected(&name, flags.split('\u{1f}'));
    }
    if let Some((name, flags)) = variable("RUSTFLAGS") {
        return selected(&name, flags.split_whitespace());
    }
    // cargo uses one of these. Do not evaluate which: the features show whether the flags have an effect.
    let of_target = target.to_uppercase().replace(['-', '.'], "_");
    let of_target = format!("CARGO_TARGET_{of_target}_RUSTFLAGS");
    let variables = [variable(&of_target), variable("CARGO_BUILD_RUSTFLAGS")];
    let mut found: Vec<_> = variables
        .into_iter()
        .flatten()
        .flat_map(|(name, flags)| selected(&name, flags.split_whitespace()))
        .collect();
    let cfg = TargetCfg::new(target);
    for (file, table) in configuration_files() {
        let targets = table.get("target").and_then(Value::as_table);
        let targets = targets.into_iter().flatten();
        let targets = targets.filter(|(key, _)| cfg.has(key));
        let tables = targets.map(|(_, table)| table).chain(table.get("build"));
        for flags in tables.filter_map(|table| table.get("rustflags")) {
            found.extend(in_value(&file, flags));
        }
    }
    found
}

fn in_value(file: &Path, flags: &Value) -> Vec<String> {
    let place = file.display().to_string();
    match flags {
        Value::String(flags) => selected(&place, flags.split_whitespace()),
        Value::Array(flags) => selected(&place, flags.iter().filter_map(Value::as_str)),
        _ => Vec::new(),
    }
}

/// Returns the flags that select instructions, with their place.
fn selected<'a>(place: &str, flags: impl Iterator<Item = &'a str>) -> Vec<String> {
    // `-C target-cpu=x` is two arguments, `-Ctarget-cpu=x` and `--codegen=target-cpu=x` are one.
    let values = flags.filter_map(|flag| {
        let start = FLAGS.iter().find_map(|name| flag.find(name))?;
        Some(&flag[start..])
    });
    let values =
        values.filter(|value| !value.ends_with("=+crt-static") && !value.ends_with("=-crt-static"));
    values
        .map(|value| format!("-C{value} in {place}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{features, selected};

    #[test]
    fn flags_that_select_instructions_are_found() {
        let flags = "-C target-cpu=native -Cdebuginfo=1 --codegen=target-feature=+avx -Ctarget-feature=+crt-static";
        assert_eq!(
            selected("RUSTFLAGS", flags.split_whitespace()),
            [
                "-Ctarget-cpu=native in RUSTFLAGS",
                "-Ctarget-feature=+avx in RUSTFLAGS"
            ]
        );
    }

    #[test]
    fn features_are_read_from_the_configuration() {
        let cfg =
            "unix\ntarget_feature=\"avx\"\ntarget_feature=\"crt-static\"\ntarget_os=\"linux\"\n";
        assert_eq!(features(cfg), ["avx"]);
    }
}
