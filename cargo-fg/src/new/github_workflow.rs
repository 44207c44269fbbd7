//! The workflow of GitHub Actions that `cargo fg new --ci github` writes.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::dependency_source::DependencySource;

const WORKFLOW: &str = include_str!("../../templates/github-workflow.yml.template");

/// The file of a workflow.
pub(super) struct GithubWorkflow<'a> {
    /// The directory and the name of the package.
    package: &'a Path,
    name: &'a str,
    /// Where the package's dependencies come from, and `cargo fg` too.
    source: &'a DependencySource,
    /// The directory that contains `.git`, or will contain it.
    repository: &'a Path,
}

impl<'a> GithubWorkflow<'a> {
    /// Returns the file for a package that will be in this directory. The path must be absolute.
    ///
    /// # Errors
    ///
    /// Returns an error if the file exists, or if another machine cannot build the package.
    pub(super) fn new(
        package: &'a Path,
        name: &'a str,
        source: &'a DependencySource,
    ) -> anyhow::Result<Self> {
        match source {
            DependencySource::Clone(clone) => bail!(
                "GitHub cannot build a package that depends on the clone {}; choose a repository with --git URL, or leave \
                 out --ci",
                clone.display()
            ),
            DependencySource::Git(git) if git.url.starts_with("file:") => bail!(
                "GitHub cannot build a package that depends on a repository on this machine, {}; choose one that GitHub can \
                 clone, or leave out --ci",
                git.url
            ),
            DependencySource::Git(_) | DependencySource::Published => {}
        }
        let repository = package.ancestors().find(|it| it.join(".git").exists());
        let workflow = Self {
            package,
            name,
            source,
            repository: repository.unwrap_or(package),
        };
        let path = workflow.path();
        if path.symlink_metadata().is_ok() {
            let path = path.display();
            bail!("{path} exists; remove it, or leave out --ci");
        }
        Ok(workflow)
    }

    /// Returns the absolute path of the file. A repository can contain several packages, each with its workflow.
    pub(super) fn path(&self) -> PathBuf {
        let name = if self.package == self.repository {
            "ci"
        } else {
            self.name
        };
        self.repository
            .join(".github/workflows")
            .join(name)
            .with_extension("yml")
    }

    /// Returns the text of the file for a package of this workspace.
    ///
    /// # Errors
    ///
    /// Returns an error if a path is not UTF-8.
    pub(super) fn text(&self, workspace: &Path) -> anyhow::Result<String> {
        let mut defaults = String::new();
        if let Some(package) = self.in_repository(self.package)? {
            defaults = format!("    defaults:\n      run:\n        working-directory: {package}\n");
        }
        let mut workspaces = String::new();
        if let Some(workspace) = self.in_repository(workspace)? {
            workspaces = format!("        with:\n          workspaces: {workspace}\n");
        }
        let install = match self.source {
            DependencySource::Git(git) => {
                let url = shell_words::quote(&git.url);
                match &git.reference {
                    Some((key, value)) => {
                        format!("--git {url} --{key} {}", shell_words::quote(value))
                    }
                    None => format!("--git {url}"),
                }
            }
            DependencySource::Published | DependencySource::Clone(_) => {
                format!("--version {}", env!("CARGO_PKG_VERSION"))
            }
        };
        Ok(WORKFLOW
            .replace("<defaults>", &defaults)
            .replace("<workspaces>", &workspaces)
            .replace("<install>", &install)
            .replace("<name>", self.name))
    }

    /// Returns the path relative to the repository, quoted for YAML. Returns `None` for the repository itself, and for a
    /// directory outside of it.
    fn in_repository(&self, directory: &Path) -> anyhow::Result<Option<String>> {
        let Ok(path) = directory.strip_prefix(self.repository) else {
            return Ok(None);
        };
        if path == Path::new("") {
            return Ok(None);
        }
        let text = path.to_str();
        let text = text.with_context(|| format!("the path {} is not UTF-8", path.display()))?;
        // Strings of JSON are strings of YAML.
        Ok(Some(serde_json::to_string(text)?))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{DependencySource, GithubWorkflow};
    use crate::new::GitSource;

    /// Returns the lines of the workflow that contain a text.
    fn lines<'a>(text: &'a str, wanted: &str) -> Vec<&'a str> {
        let lines = text.lines().map(str::trim);
        lines.filter(|line| line.contains(wanted)).collect()
    }

    #[test]
    fn workflow_of_a_package_that_is_a_repository() {
        let root = tempfile::tempdir().unwrap();
        let package = root.path().join("night-watch");
        let workflow =
            GithubWorkflow::new(&package, "night-watch", &DependencySource::Published).unwrap();
        assert_eq!(workflow.path(), package.join(".github/workflows/ci.yml"));
        let text = workflow.text(&package).unwrap();
        assert_eq!(
            lines(&text, "cargo install"),
            [concat!(
                "cargo install --version ",
                env!("CARGO_PKG_VERSION"),
                " --locked --no-default-features cargo-fg"
            )]
        );
        assert_eq!(
            lines(&text, "night-watch"),
            [
                "name: night-watch",
                "path: ${{ runner.temp }}/night-watch.zip"
            ]
        );
        // No placeholder is left.
        assert_eq!(text.find('<'), None, "{text}");
        assert_eq!(lines(&text, "working-directory"), [""; 0]);
        assert_eq!(lines(&text, "workspaces"), [""; 0]);
    }

    #[test]
    fn workflow_of_a_package_in_a_repository() {
        let root = tempfile::tempdir().unwrap();
        let workspace = root.path().join("my extensions");
        let package = workspace.join("night-watch");
        fs::create_dir_all(root.path().join(".git")).unwrap();
        let git = DependencySource::Git(GitSource {
            url: "https://example.com/a b".to_owned(),
            reference: Some(("rev", "0123abc".to_owned())),
        });
        let workflow = GithubWorkflow::new(&package, "night-watch", &git).unwrap();
        let path = root.path().join(".github/workflows/night-watch.yml");
        assert_eq!(workflow.path(), path);
        let text = workflow.text(&workspace).unwrap();
        assert_eq!(
            lines(&text, "cargo install"),
            [
                "cargo install --git 'https://example.com/a b' --rev 0123abc --locked --no-default-features cargo-fg"
            ]
        );
        assert_eq!(
            lines(&text, "my extensions"),
            [
                r#"working-directory: "my extensions/night-watch""#,
                r#"workspaces: "my extensions""#
            ]
        );

        // The workspace may be the repository, or around it.
        for workspace in [root.path(), Path::new("/")] {
            let text = workflow.text(workspace).unwrap();
            assert_eq!(lines(&text, "workspaces"), [""; 0]);
        }

        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        let error = GithubWorkflow::new(&package, "night-watch", &git);
        let error = error.err().unwrap();
        assert_eq!(
            error.to_string(),
            format!("{} exists; remove it, or leave out --ci", path.display())
        );
    }

    #[test]
    fn clone_cannot_be_built_elsewhere() {
        let clone = DependencySource::Clone("/a/clone".into());
        let error = GithubWorkflow::new(Path::new("/a/night-watch"), "night-watch", &clone);
        assert_eq!(
            error.err().unwrap().to_string(),
            "GitHub cannot build a package that depends on the clone /a/clone; choose a repository with --git URL, or leave out --ci"
        );
    }
}
