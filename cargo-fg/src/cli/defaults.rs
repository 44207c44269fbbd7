//! Default options of a package: the lists in `[package.metadata.fg]` of its Cargo.toml, such as `dev = ["--freeze"]`.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches, Id};
use serde_json::Value;

use super::CommandLine;
use super::source_args::TargetArgs;
use crate::cargo::Workspace;

/// The keys of the table: the subcommands that build a package.
const KEYS: [&str; 4] = ["check", "deploy", "dev", "package"];

/// The IDs of the arguments that select another package, a command or a ZIP, and how they are written.
const SELECTORS: [(&str, &str); 6] = [
    ("package", "--package"),
    ("manifest_path", "--manifest-path"),
    ("cmd", "--cmd"),
    ("script", "--script"),
    ("zip", "--zip"),
    ("link", "--link"),
];

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
        // `deploy` builds the same ZIP as `package`, and has its options.
        if key == subcommand || key == "package" && subcommand == "deploy" {
            of_subcommand.extend(list);
        }
    }
    Ok(of_subcommand)
}

/// Checks the options of one key on their own.
fn check(subcommand: &str, options: &[String]) -> Result<(), String> {
    let mut command = CommandLine::command();
    let given = given(&mut command, subcommand, options).map_err(|error| {
        let message = error.to_string();
        let lines = message.lines().take_while(|line| !line.is_empty());
        let lines: Vec<_> = lines.map(str::trim).collect();
        lines.join(" ").replacen("error: ", "", 1)
    })?;
    match SELECTORS
        .iter()
        .find(|(id, _)| given.iter().any(|it| it == id))
    {
        Some((_, option)) => Err(format!(
            "{option} cannot be a default, because it selects what to build or boot, and these are the options of this \
             package; write it on the command line"
        )),
        None => Ok(()),
    }
}

/// Parses the default options and then the user's arguments. A default that conflicts with an option of the user is left out.
fn parse(
    defaults: Vec<String>,
    subcommand: &str,
    arguments: &[OsString],
) -> Result<CommandLine, clap::Error> {
    // An option of the user replaces a default, unless it is repeatable.
    let mut command = CommandLine::command()
        .mut_subcommand(subcommand, |subcommand| subcommand.args_override_self(true));
    let (program, own) = arguments.split_at(arguments.len().min(2));
    // One option may require another one of the defaults.
    let mut lenient = CommandLine::command().ignore_errors(true);
    let given_by_user = given(&mut lenient, subcommand, own)?;
    let conflicting = conflicting(&lenient, subcommand, &given_by_user);
    let mut kept = Vec::new();
    for option in split(defaults, subcommand) {
        let ids = given(&mut lenient, subcommand, &option)?;
        if !ids.iter().any(|id| conflicting.contains(id)) {
            kept.push(option);
        }
    }
    // The arguments for the program are last.
    let (for_program, kept): (Vec<_>, Vec<_>) = kept.into_iter().partition(|it| is_for_program(it));
    let replaces = own.iter().any(|argument| argument == "--");
    let for_program = for_program.into_iter().filter(|_| !replaces);
    let all = program.iter().cloned();
    let all = all.chain(kept.into_iter().flatten().map(OsString::from));
    let all = all.chain(own.iter().cloned());
    let all = all.chain(for_program.flatten().map(OsString::from));
    let matches = command.try_get_matches_from_mut(all)?;
    CommandLine::from_arg_matches(&matches)
}

/// Returns the IDs of the arguments of the subcommand that these options set.
fn given<T: Into<OsString> + Clone>(
    command: &mut Command,
    subcommand: &str,
    options: &[T],
) -> Result<Vec<Id>, clap::Error> {
    let program = ["cargo fg", subcommand].map(OsString::from);
    let all = program
        .into_iter()
        .chain(options.iter().cloned().map(Into::into));
    let matches = command.try_get_matches_from_mut(all)?;
    let matches = matches.subcommand_matches(subcommand);
    let ids = matches
        .into_iter()
        .flat_map(|it| it.ids().map(move |id| (it, id)));
    let is_given = |(matches, id): &(&ArgMatches, &Id)| {
        matches.value_source(id.as_str()) == Some(ValueSource::CommandLine)
    };
    Ok(ids.filter(is_given).map(|(_, id)| id.clone()).collect())
}

/// Returns the IDs of all arguments that cannot be used together with one of these.
fn conflicting(command: &Command, subcommand: &str, given: &[Id]) -> Vec<Id> {
    let mut conflicting = Vec::new();
    let Some(command) = command.find_subcommand(subcommand) else {
        return conflicting;
    };
    for argument in command.get_arguments() {
        // Only one of the two declares a conflict.
        for other in command.get_arg_conflicts_with(argument) {
            let (id, other) = (argument.get_id(), other.get_id());
            conflicting.extend(given.contains(id).then(|| other.clone()));
            conflicting.extend(given.contains(other).then(|| id.clone()));
        }
    }
    conflicting
}

/// Splits a list into options, each with its value if that is a separate argument. The last one may be `--` and the arguments
/// for the program.
fn split(list: Vec<String>, subcommand: &str) -> Vec<Vec<String>> {
    let mut command = CommandLine::command();
    let mut options: Vec<Vec<String>> = Vec::new();
    for argument in list {
        // An option without its value is invalid.
        let is_incomplete = |option: &[String], command: &mut Command| {
            let error = given(command, subcommand, option).err();
            error.is_some_and(|error| error.kind() == ErrorKind::InvalidValue)
        };
        match options.last_mut() {
            Some(option) if is_for_program(option) || is_incomplete(option, &mut command) => {
                option.push(argument);
            }
            _ => options.push(vec![argument]),
        }
    }
    options
}

fn is_for_program(option: &[String]) -> bool {
    option.first().is_some_and(|first| first == "--")
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
    fn defaults_that_conflict_with_options_of_the_user_are_left_out() {
        let release = ["--features", "x", "-r", "--freeze"];
        assert_same(
            &release,
            &["--profile", "small"],
            &["--features=x", "--freeze", "--profile=small"],
        );
        // One argument sets two options.
        assert_same(&["-rFx"], &["--profile", "small"], &["--profile=small"]);
        assert_same(
            &["--freeze", "--", "-x", "y"],
            &["--attach"],
            &["--freeze", "--attach"],
        );
        assert_same(&["--attach"], &["--", "x"], &["--", "x"]);
        assert_same(
            &["--seed", "1", "--fault", "freeze"],
            &["--replay", "x"],
            &["--seed=1", "--replay=x"],
        );
    }

    #[test]
    fn values_are_not_mistaken_for_options() {
        let list = ["--release", "REG-01", "--env", "A=B", "-F", "x", "REG-02"];
        let list = list.map(str::to_owned).to_vec();
        assert_eq!(
            super::split(list, "check"),
            [
                &["--release"][..],
                &["REG-01"],
                &["--env", "A=B"],
                &["-F", "x"],
                &["REG-02"]
            ]
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
                "`dev`: --package cannot be a default, because it selects",
            ),
            (
                list(&["--manifest-path=x"]),
                "`dev`: --manifest-path cannot be a default, because it selects",
            ),
            (
                list(&["--cmd", "python3 x.py", "--script", "extensionX.sh"]),
                "`dev`: --cmd cannot be a default, because it selects",
            ),
            (
                list(&["--attach", "--script=extensionX.sh"]),
                "`dev`: --script cannot be a default, because it selects",
            ),
            (
                list(&["--freeze", "--zip", "x.zip"]),
                "`dev`: --zip cannot be a default, because it selects",
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
