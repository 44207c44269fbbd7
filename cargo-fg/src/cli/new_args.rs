//! The arguments of `cargo fg new`.

use std::io::Write;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use fg_emulator::PORT_RANGE;

use crate::new::{
    DependencySource, GitSource, NewOptions, TEMPLATES, Template, list_templates, new,
};

#[derive(Debug, clap::Args)]
pub(super) struct NewArgs {
    /// Name of the package, or path of its directory, such as night-watch; `.` is the current directory
    #[arg(value_name = "NAME", required_unless_present = "list")]
    directory: Option<PathBuf>,
    /// Example to copy
    #[arg(long, value_name = "NAME", default_value = TEMPLATES[0].name, value_parser = template_names())]
    example: String,
    /// Port of the extension, from 8081 to 8090 (default: the example's, or another one if a package nearby uses it)
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(ports()))]
    port: Option<u16>,
    /// Git repository to depend on, so that others can build the package (default: where cargo-fg comes from)
    #[arg(long, value_name = "URL", value_parser = NonEmptyStringValueParser::new(), conflicts_with = "path")]
    git: Option<String>,
    /// Commit of the repository
    #[arg(long, value_name = "SHA", value_parser = NonEmptyStringValueParser::new(), requires = "git")]
    rev: Option<String>,
    /// Tag of the repository
    #[arg(long, value_name = "TAG", value_parser = NonEmptyStringValueParser::new(), requires = "git", conflicts_with = "rev")]
    tag: Option<String>,
    /// Branch of the repository
    #[arg(long, value_name = "BRANCH", value_parser = NonEmptyStringValueParser::new(), requires = "git", conflicts_with_all = ["rev", "tag"])]
    branch: Option<String>,
    /// Clone of the fg-extension repository to depend on (default: where cargo-fg comes from)
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Write a workflow that tests, checks and packages the extension on GitHub
    #[arg(long, value_name = "SERVICE", value_parser = ["github"])]
    ci: Option<String>,
    /// List the examples instead of creating a package
    #[arg(long, conflicts_with_all = ["directory", "example", "port", "git", "path", "ci"])]
    list: bool,
}

/// The ports that an extension may have (D 2707).
fn ports() -> RangeInclusive<i64> {
    i64::from(*PORT_RANGE.start())..=i64::from(*PORT_RANGE.end())
}

fn template_names() -> PossibleValuesParser {
    PossibleValuesParser::new(TEMPLATES.iter().map(|template| template.name))
}

impl NewArgs {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let text = match &self.directory {
            None => list_templates()?,
            Some(directory) => new(&NewOptions {
                directory,
                template: self.template(),
                port: self.port,
                source: self.source(),
                with_github_workflow: self.ci.is_some(),
            })?,
        };
        std::io::stdout()
            .write_all(text.as_bytes())
            .context("cannot write to stdout")?;
        Ok(ExitCode::SUCCESS)
    }

    /// Returns the source of the dependencies that the user chose.
    fn source(&self) -> Option<DependencySource> {
        let references = [
            ("rev", &self.rev),
            ("tag", &self.tag),
            ("branch", &self.branch),
        ];
        let mut references = references.into_iter();
        if let Some(url) = &self.git {
            return Some(DependencySource::Git(GitSource {
                url: url.clone(),
                reference: references.find_map(|(key, value)| Some((key, value.clone()?))),
            }));
        }
        self.path.clone().map(DependencySource::Clone)
    }

    fn template(&self) -> &'static Template {
        let is_selected = |template: &&Template| template.name == self.example;
        TEMPLATES.iter().find(is_selected).unwrap_or(&TEMPLATES[0])
    }
}
