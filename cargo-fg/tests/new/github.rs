//! Workflows of GitHub Actions.

use std::fs;

use super::{files, new, read, stdout};
use crate::repository_root;

const GIT: [&str; 4] = ["--git", "https://example.com/fg.git", "--rev", "0123abc"];

#[test]
fn workflow_is_written_next_to_the_package_or_for_its_repository() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().canonicalize().unwrap();
    let arguments = [&["night-watch", "--ci", "github"], &GIT[..]].concat();
    let printed = stdout(&new(&root, &arguments));
    let workflow = root.join("night-watch/.github/workflows/ci.yml");
    let line = format!(
        "\n       Wrote {}, which tests, checks and packages it on GitHub\n",
        workflow.display()
    );
    assert!(printed.contains(&line), "{printed}");
    let text = read(&workflow);
    let install = "cargo install --git https://example.com/fg.git --rev 0123abc --locked --no-default-features cargo-fg\n";
    assert!(text.contains(install), "{text}");

    // A second package in the same repository has a workflow of its own.
    let arguments = [&["night-watch/day-watch", "--ci", "github"], &GIT[..]].concat();
    stdout(&new(&root, &arguments));
    let text = read(root.join("night-watch/.github/workflows/day-watch.yml"));
    assert!(
        text.contains("working-directory: \"day-watch\"\n"),
        "{text}"
    );
}

#[test]
fn packages_without_a_workflow_are_not_created() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().canonicalize().unwrap();
    let workflow = root.join("a/.github/workflows/ci.yml");
    fs::create_dir_all(workflow.parent().unwrap()).unwrap();
    fs::write(&workflow, "on: push\n").unwrap();
    let exists = format!(
        "error: cannot create a: {} exists; remove it, or leave out --ci\n",
        workflow.display()
    );
    for (arguments, status, expected) in [
        (
            [&["a", "--ci", "github"], &GIT[..]].concat(),
            1,
            exists.as_str(),
        ),
        // The program that is tested depends on a clone.
        (
            vec!["b", "--ci", "github"],
            1,
            "error: cannot create b: GitHub cannot build a package that depends on the clone ",
        ),
        (
            vec!["b", "--ci", "github", "--git", "file:///srv/fg.git"],
            1,
            "error: cannot create b: GitHub cannot build a package that depends on a repository on this machine, ",
        ),
        (
            vec!["b", "--ci", "gitlab"],
            2,
            "error: invalid value 'gitlab' for '--ci <SERVICE>'\n  [possible values: github]\n",
        ),
    ] {
        let output = new(&root, &arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{stderr}");
        assert!(stderr.starts_with(expected), "{stderr}");
        assert_eq!(files(&root), [workflow.as_path()]);
    }
}

/// Dependabot updates the actions in this repository's workflows, and this test asks for the same update in the template.
#[test]
fn actions_are_pinned_to_the_same_commits_as_in_this_repository() {
    let root = repository_root();
    let mut own = String::new();
    for workflow in files(&root.join(".github/workflows")) {
        own.push_str(&read(workflow));
    }
    let template = read(root.join("cargo-fg/templates/github-workflow.yml.template"));
    let actions = |text: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.split_once("uses: "));
        lines.map(|(_, action)| action.to_owned()).collect()
    };
    let own = actions(&own);
    for action in &own {
        let commit = action.split(['@', ' ']).nth(1).unwrap_or_default();
        let is_commit = commit.len() == 40 && commit.bytes().all(|it| it.is_ascii_hexdigit());
        assert!(is_commit, "{action} is not pinned to a commit");
    }
    let of_template = actions(&template);
    assert_eq!(of_template.len(), 3, "{template}");
    for action in of_template {
        assert!(
            own.contains(&action),
            "{action}, but this repository uses {own:?}"
        );
    }
}
