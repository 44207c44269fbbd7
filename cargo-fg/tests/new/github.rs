//! Workflows of GitHub Actions.

use std::fs;

use super::{files, new, read, stdout};

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
    assert!(text.contains("working-directory: \"day-watch\"\n"), "{text}");
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
            vec!["b", "--ci", "gitlab"],
            2,
            "error: invalid value 'gitlab' for '--ci <SERVICE>'\n  [possible values: github]\n",
        ),
    ] {
        let output = new(&root, &arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{stderr}");
        assert!(stderr.starts_with(expected), "{stderr}");
        assert_eq!(files(&root), [workflow.clone()]);
    }
}
