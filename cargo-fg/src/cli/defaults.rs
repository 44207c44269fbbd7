//! Default options of a package: the lists in `[package.metadata.fg]` of its Cargo.toml, such as `dev = ["--freeze"]`.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser};
use serde_json::Value;

use super::CommandLine;
use super::source_args::TargetArgs;
use crate::cargo::Workspace;

/// The keys of the table: the subcommands that build a package.
const KEYS: [&str; 3] = ["check", "dev", "package"];

/// Parses the arguments again, with the default options of the package before those of the user. Returns `None` if the package
/// has none, or is not found, which is reported later.
///
/// # Errors
///
/// Returns clap's error if the table is invalid, or if the options do not go together.
pub(super) fn parse_with_defaults(
    target: &TargetArgs,
    subcommand: &str,
    arguments: &[OsString],
) -> Result<Option<CommandLine>, clap::Error> {
    let Ok(workspace) = Workspace::read(&target.cargo) else {
        return Ok(None);
    };
    let Some(package) = workspace.package_of(&target.build_target(), &target.cargo) else {
        return Ok(None);
    };
    let options = options(&package.metadata["fg"], subcommand).map_err(|message| {
        let place = package.manifest_path.display();
        let message = format!("invalid [package.metadata.fg] in {place}: {message}");
        CommandLine::command().error(ErrorKind::InvalidValue, message)
    })?;
    match options.is_empty() {
        true => Ok(None),
        false => parse(options, subcommand, arguments).map(Some),
    }
}

/// Returns the default options of the subcommand. An error is a message about the table.
fn options(table: &Value, subcommand: &str) -> Result<Vec<String>, String> {
    if table.is_null() {
        return Ok(Vec::new());
    }
    let known = KEYS.join(", ");
    let table = table
        .as_object()
        .ok_or_else(|| format!("it is not a table; its keys are {known}"))?;
    if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!("unknown key `{key}`; the keys are {known}"));
    }
    let mut of_subcommand = Vec::new();
    for (key, list) in table {
        let list: Vec<String> = serde_json::from_value(list.clone()).map_err(|_| {
            format!("`{key}` is not a list of strings such as [\"--env\", \"A=B\"]")
        })?;
        check(key, &list).map_err(|message| format!("`{key}`: {message}"))?;
        if key == subcommand {
            of_subcommand = list;
        }
    }
    Ok(of_subcommand)
}

/// Checks the options of one key on their own.
fn check(subcommand: &str, options: &[String]) -> Result<(), String> {
    let program = ["cargo fg", subcommand].map(str::to_owned);
    let parsed = CommandLine::try_parse_from(program.iter().chain(options));
    let parsed = parsed.map_err(|error| {
        let message = error.to_string();
        let lines = message.lines().take_while(|line| !line.is_empty());
        let lines: Vec<_> = lines.map(str::trim).collect();
        lines.join(" ").replacen("error: ", "", 1)
    })?;
    match parsed.target() {
        Some((_, target)) if target.selects_package() => Err(
            "--package and --manifest-path select the package whose options these are".to_owned(),
        ),
        _ => Ok(()),
    }
}

/// Parses the default options and then the user's arguments. An option that conflicts with one of the user is left out.
fn parse(
    mut defaults: Vec<String>,
    subcommand: &str,
    arguments: &[OsString],
) -> Result<CommandLine, clap::Error> {
    let is_end = |argument: &OsString| argument == "--";
    // The arguments for the program are last.
    let for_program = match defaults.iter().position(|option| option == "--") {
        Some(position) => defaults.split_off(position),
        None => Vec::new(),
    };
    let for_program = match arguments.iter().any(is_end) {
        true => Vec::new(),
        false => for_program,
    };
    let mut options = split(defaults);
    loop {
        // An option of the user replaces a default, unless it is repeatable.
        let mut command = CommandLine::command()
            .mut_subcommand(subcommand, |subcommand| subcommand.args_override_self(true));
        let (program, rest) = arguments.split_at(arguments.len().min(2));
        let defaults = options.iter().flatten().map(OsString::from);
        let all = program.iter().cloned().chain(defaults);
        let all = all.chain(rest.iter().cloned());
        let all = all.chain(for_program.iter().map(OsString::from));
        let error = match command.try_get_matches_from_mut(all) {
            Ok(matches) => return CommandLine::from_arg_matches(&matches),
            Err(error) => error,
        };
        let conflicting = conflicting(&error);
        let is_in_conflict = |option: &Vec<String>| {
            let name = option.first().and_then(|it| it.split('=').next());
            name.is_some_and(|name| conflicting.iter().any(|it| it == name))
        };
        match options.iter().position(is_in_conflict) {
            Some(position) => options.remove(position),
            None => return Err(error),
        };
    }
}

/// Splits a list into options, each with its value if that is a separate argument.
fn split(list: Vec<String>) -> Vec<Vec<String>> {
    let mut options: Vec<Vec<String>> = Vec::new();
    for argument in list {
        match options.last_mut() {
            Some(option) if !argument.starts_with('-') => option.push(argument),
            _ => options.push(vec![argument]),
        }
    }
    options
}

/// Returns the options that cannot be used together, such as `--freeze`.
fn conflicting(error: &clap::Error) -> Vec<String> {
    if error.kind() != ErrorKind::ArgumentConflict {
        return Vec::new();
    }
    let mut shown = Vec::new();
    for (kind, value) in error.context() {
        match (kind, value) {
            (ContextKind::InvalidArg | ContextKind::PriorArg, ContextValue::String(one)) => {
                shown.push(one.clone());
            }
            (ContextKind::InvalidArg | ContextKind::PriorArg, ContextValue::Strings(several)) => {
                shown.extend_from_slice(several);
            }
            _ => {}
        }
    }
    let names = shown.iter().filter_map(|it| it.split([' ', '=']).next());
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{options, parse};

    fn parsed(defaults: &[&str], arguments: &[&str]) -> Result<String, String> {
        let defaults = defaults.iter().map(|it| (*it).to_owned()).collect();
        let arguments: Vec<_> = ["cargo-fg", "dev"].iter().chain(arguments).collect();
        let arguments: Vec<_> = arguments.into_iter().map(Into::into).collect();
        match parse(defaults, "dev", &arguments) {
            Ok(command_line) => Ok(format!("{:?}", command_line.command)),
            Err(error) => Err(error.to_string()),
        }
    }

    #[track_caller]
    fn assert_same(defaults: &[&str], arguments: &[&str], expected: &[&str]) {
        assert_eq!(parsed(defaults, arguments), parsed(&[], expected));
    }

    #[test]
    fn options_of_the_user_win() {
        assert_same(
            &["--seed", "1", "--fault=freeze"],
            &["--seed", "2"],
            &["--fault=freeze", "--seed=2"],
        );
        assert_same(&["--freeze"], &["--freeze"], &["--freeze"]);
        // A variable that is set twice has the last value.
        assert_same(
            &["--env", "A=1"],
            &["--env", "A=2"],
            &["--env=A=1", "--env=A=2"],
        );
        assert_same(
            &["--freeze", "--env", "A=1"],
            &["--replay", "x"],
            &["--env=A=1", "--replay=x"],
        );
        assert_same(&["--bin", "a"], &["--example", "b"], &["--example", "b"]);
        assert_same(
            &["--freeze", "--", "a"],
            &["--bin", "c"],
            &["--freeze", "--bin", "c", "--", "a"],
        );
        assert_same(
            &["--freeze", "--", "a"],
            &["--", "b"],
            &["--freeze", "--", "b"],
        );
    }

    #[test]
    fn conflict_between_options_of_the_user_is_reported() {
        let error = parsed(&["--freeze"], &["--bin", "a", "--example", "b"]).unwrap_err();
        assert!(error.contains("cannot be used with"), "{error}");
    }

    #[test]
    fn invalid_tables_are_rejected() {
        let list = |list: &[&str]| json!({"dev": list});
        for (table, message) in [
            (
                json!("dev"),
                "it is not a table; its keys are check, dev, package",
            ),
            (
                json!({"run": []}),
                "unknown key `run`; the keys are check, dev, package",
            ),
            (
                json!({"dev": "--freeze"}),
                "`dev` is not a list of strings such as",
            ),
            (
                list(&["--freze"]),
                "`dev`: unexpected argument '--freze' found",
            ),
            (
                list(&["--seed", "x"]),
                "`dev`: invalid value 'x' for '--seed <N>'",
            ),
            (
                list(&["-p", "x"]),
                "`dev`: --package and --manifest-path select the package",
            ),
            (
                list(&["--manifest-path=x"]),
                "`dev`: --package and --manifest-path select",
            ),
        ] {
            let error = options(&table, "check").unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
        assert!(options(&json!(null), "dev").unwrap().is_empty());
        assert_eq!(options(&list(&["--freeze"]), "dev").unwrap(), ["--freeze"]);
        assert!(options(&list(&["--freeze"]), "check").unwrap().is_empty());
    }
}
