//! Files with settings: one `NAME=VALUE` per line. Empty lines and lines that start with `#` are ignored.
//!
//! A value is everything after the first `=`, without the white space around it. Nothing in it is special: there are no
//! quotes, no `export`, and no `$NAME`.

/// Returns the value of a setting in a file that [`parse`] accepts, or `None` if the file does not contain it.
///
/// ```
/// let file = "# of the test system\nFG_LOG=info\n";
/// assert_eq!(fg_util::env_file::value(file, "FG_LOG"), Some("info"));
/// assert_eq!(fg_util::env_file::value(file, "FG_LO"), None);
/// ```
#[must_use]
pub fn value<'a>(file: &'a str, name: &str) -> Option<&'a str> {
    file.lines().find_map(|line| {
        let (found, value) = line.split_once('=')?;
        (found.trim() == name).then_some(value.trim())
    })
}

/// Returns the names and the values in a file, in order.
///
/// # Errors
///
/// Returns a message for each line that is not `NAME=VALUE`, whose name is used twice, or that contains shell syntax. It
/// starts with the number of the line, and does not contain the value.
///
/// ```
/// use fg_util::env_file::parse;
///
/// assert_eq!(parse("FG_LOG = info"), Ok(vec![("FG_LOG", "info")]));
/// assert_eq!(
///     parse("export FG_LOG=info\n"),
///     Err(vec!["line 1: `export FG_LOG` is not a name (remove `export`)".to_owned()])
/// );
/// ```
pub fn parse(file: &str) -> Result<Vec<(&str, &str)>, Vec<String>> {
    let (mut settings, mut problems) = (Vec::<(&str, &str)>::new(), Vec::new());
    for (index, line) in file.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let problem = match parse_line(line) {
            Ok((name, _)) if settings.iter().any(|(other, _)| *other == name) => {
                format!("{name} was set before (remove one of the lines)")
            }
            Ok(setting) => {
                settings.push(setting);
                continue;
            }
            Err(problem) => problem,
        };
        problems.push(format!("line {}: {problem}", index + 1));
    }
    match problems.is_empty() {
        true => Ok(settings),
        false => Err(problems),
    }
}

fn parse_line(line: &str) -> Result<(&str, &str), String> {
    let Some((name, value)) = line.split_once('=') else {
        // The line may be a part of a secret.
        return Err("it has no `=` (write `NAME=VALUE`)".to_owned());
    };
    let (name, value) = (name.trim(), value.trim());
    if !is_name(name) {
        let hint = match name.strip_prefix("export ") {
            Some(_) => "remove `export`",
            None => "write letters, digits and `_`",
        };
        let name = crate::error::one_line(name);
        return Err(format!("`{name}` is not a name ({hint})"));
    }
    let is_quoted = |quote| value.len() > 1 && value.starts_with(quote) && value.ends_with(quote);
    if is_quoted('"') || is_quoted('\'') {
        return Err(format!(
            "the value of {name} is in quotes, which would be a part of it (remove them)"
        ));
    }
    if value.contains(char::is_control) {
        return Err(format!(
            "the value of {name} contains a control character (remove it)"
        ));
    }
    Ok((name, value))
}

/// Returns whether a setting may have this name: letters, digits and `_`, not starting with a digit.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| !c.is_ascii_digit()) && name.chars().all(is_valid)
}

#[cfg(test)]
mod tests {
    use super::{parse, value};

    #[test]
    fn values_are_literal() {
        let file = "# a comment\r\n\r\nA=1 # no comment\r\n B = x=y \nC=\nD=$HOME `id` \"q\n";
        let settings = [
            ("A", "1 # no comment"),
            ("B", "x=y"),
            ("C", ""),
            ("D", "$HOME `id` \"q"),
        ];
        assert_eq!(parse(file).unwrap(), settings);
        for (name, expected) in settings {
            assert_eq!(value(file, name), Some(expected));
        }
        assert_eq!(value(file, "# a comment"), None);
        assert_eq!(value(file, "E"), None);
        assert_eq!(parse(""), Ok(vec![]));
    }

    #[test]
    fn each_problem_is_reported_with_its_line_and_without_the_value() {
        let file = "A=1\nsecret\nexport B=secret\nA-B=secret\n1A=secret\n=secret\nC=\"secret\"\nD='secret'\nA=secret\nE=sec\tret";
        let expected = [
            "line 2: it has no `=` (write `NAME=VALUE`)",
            "line 3: `export B` is not a name (remove `export`)",
            "line 4: `A-B` is not a name (write letters, digits and `_`)",
            "line 5: `1A` is not a name (write letters, digits and `_`)",
            "line 6: `` is not a name (write letters, digits and `_`)",
            "line 7: the value of C is in quotes, which would be a part of it (remove them)",
            "line 8: the value of D is in quotes, which would be a part of it (remove them)",
            "line 9: A was set before (remove one of the lines)",
            "line 10: the value of E contains a control character (remove it)",
        ];
        assert_eq!(parse(file).unwrap_err(), expected);
    }
}
