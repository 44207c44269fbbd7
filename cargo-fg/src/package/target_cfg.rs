//! [`TargetCfg`]: tells which tables of cargo's configuration apply to a target.

use super::build_plan::rustc;

/// The configuration of a target, as `rustc --print cfg` prints it.
pub(super) struct TargetCfg {
    target: String,
    /// The options such as `unix` and `target_os="linux"`; `None` if rustc cannot print them.
    options: Option<String>,
}

impl TargetCfg {
    pub(super) fn new(target: &str) -> Self {
        Self {
            target: target.to_owned(),
            options: rustc(&["--print", "cfg", "--target", target]).ok(),
        }
    }

    /// Returns whether a table `[target.KEY]` applies: KEY is the target, or an expression such as `cfg(unix)`.
    pub(super) fn has(&self, key: &str) -> bool {
        match call("cfg", key) {
            Some(expression) => self.is_true(expression),
            None => key == self.target,
        }
    }

    fn is_true(&self, expression: &str) -> bool {
        let expression = expression.trim();
        if let Some(list) = call("all", expression) {
            return arguments(list).iter().all(|it| self.is_true(it));
        }
        if let Some(list) = call("any", expression) {
            return arguments(list).iter().any(|it| self.is_true(it));
        }
        if let Some(negated) = call("not", expression) {
            return !self.is_true(negated);
        }
        // If the options are unknown, a table may apply.
        let Some(options) = &self.options else {
            return true;
        };
        let option = expression.split('=').map(str::trim).collect::<Vec<_>>();
        expression == "true" || options.lines().any(|it| it == option.join("="))
    }
}

/// Returns the arguments of `NAME(…)`.
fn call<'a>(name: &str, expression: &'a str) -> Option<&'a str> {
    let arguments = expression.strip_prefix(name)?.trim_start();
    arguments.strip_prefix('(')?.strip_suffix(')')
}

/// Splits a list at its commas, except those inside parentheses.
fn arguments(list: &str) -> Vec<&str> {
    let mut depth = 0;
    let parts = list.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    });
    // The last comma may be a trailing one.
    parts.filter(|part| !part.trim().is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::TargetCfg;

    #[test]
    fn expressions_are_evaluated() {
        let cfg = TargetCfg {
            target: "x86_64-unknown-linux-gnu".to_owned(),
            options: Some("unix\ntarget_arch=\"x86_64\"\ntarget_os=\"linux\"\n".to_owned()),
        };
        for key in [
            "x86_64-unknown-linux-gnu",
            "cfg(unix)",
            "cfg(target_os = \"linux\")",
            "cfg(all(unix, not(windows), any(target_arch=\"arm\", target_arch=\"x86_64\"),))",
            "cfg(all())",
            "cfg(true)",
        ] {
            assert!(cfg.has(key), "{key}");
        }
        for key in [
            "x86_64-unknown-linux-musl",
            "cfg(windows)",
            "cfg(not(unix))",
            "cfg(any())",
            "cfg(all(unix, target_os = \"macos\"))",
            "cfg(false)",
        ] {
            assert!(!cfg.has(key), "{key}");
        }
    }
}
