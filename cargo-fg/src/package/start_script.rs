//! The start script of the ZIP. It is plain POSIX shell, since it is unknown which shell the platform has (?).

/// Returns the script that starts the program with this file name in the same directory.
pub(crate) fn start_script(program: &str) -> String {
    let quoted = format!("'{}'", program.replace('\'', r"'\''"));
    include_str!("start.sh").replace("<program>", &quoted)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "test helpers may panic like tests")]
mod tests {
    use std::fs::{self, Permissions};
    use std::io::Write;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::os::unix::process::CommandExt;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use super::start_script;

    /// A program that prints its process ID and its arguments.
    const PROGRAM: &str = "#!/bin/sh\nprintf '%s.' \"$$\" \"$@\"\n";

    /// Writes an executable file in a child process. If this process wrote it, executing it could fail (ETXTBSY), since
    /// a process that another test is starting may still have the file open.
    fn write(path: &Path, text: &str, mode: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut command = Command::new("/bin/sh");
        command.args([
            "-c",
            r#"printf %s "$1" > "$2" && chmod "$3" "$2""#,
            "sh",
            text,
        ]);
        assert!(command.arg(path).arg(mode).status().unwrap().success());
    }

    #[test]
    fn program_is_found_however_the_script_is_called() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let program = "it's $(a) \"pro gram\"";
        let unpacked = directory.join("-un packed'/extension");
        let script = unpacked.join("extensionX.sh");
        write(&script, &start_script(program), "755");
        // The platform may lose the mode bits (?).
        write(&unpacked.join(program), PROGRAM, "644");
        write(&directory.join("elsewhere/decoy"), PROGRAM, "755");
        let link = directory.join("link.sh");
        symlink("elsewhere/next.sh", &link).unwrap();
        symlink(
            "../-un packed'/extension/extensionX.sh",
            directory.join("elsewhere/next.sh"),
        )
        .unwrap();
        symlink(&link, directory.join("elsewhere/absolute.sh")).unwrap();
        symlink(&unpacked, directory.join("elsewhere/directory")).unwrap();

        let script = script.to_str().unwrap();
        for (working_directory, called) in [
            ("/", script),
            (".", "-un packed'/extension/extensionX.sh"),
            (".", "./-un packed'/extension/extensionX.sh"),
            ("-un packed'/extension", "extensionX.sh"),
            ("-un packed'/extension", "./extensionX.sh"),
            ("-un packed'", "extension/../extension/extensionX.sh"),
            (".", "link.sh"),
            ("elsewhere", "../link.sh"),
            ("elsewhere", "absolute.sh"),
            ("elsewhere", "directory/extensionX.sh"),
            ("/", link.to_str().unwrap()),
        ] {
            for shell in ["sh", "dash", "bash --posix", "busybox sh", ""] {
                let mut words = shell.split_whitespace();
                let mut command = match words.next() {
                    Some(shell) if !is_in_path(shell) => continue,
                    Some(shell) => Command::new(shell),
                    // Run it by its first line. A name without `/` is looked up in `PATH`, and `-` starts an option.
                    None if !called.contains('/') || called.starts_with('-') => continue,
                    None => Command::new(called),
                };
                if !shell.is_empty() {
                    command.args(words).arg("--").arg(called);
                }
                let child = command
                    .args(["one two", ""])
                    .current_dir(directory.join(working_directory))
                    .env("CDPATH", directory)
                    .stdout(std::process::Stdio::piped())
                    .spawn()
                    .unwrap();
                let pid = child.id();
                let output = child.wait_with_output().unwrap();
                assert_eq!(
                    String::from_utf8(output.stdout).unwrap(),
                    format!("{pid}.one two.."),
                    "`{shell}` `{called}` in {working_directory}"
                );
            }
        }
    }

    /// A user and a group that own no files.
    const NOBODY: u32 = 65534;

    #[test]
    fn program_of_another_user_that_is_not_executable_is_copied() {
        let directory = tempfile::tempdir_in("/tmp").unwrap();
        let directory = directory.path();
        fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
        let as_nobody = |program: &str| {
            let mut command = Command::new(program);
            command.uid(NOBODY).gid(NOBODY).current_dir(directory);
            command
        };
        let is_nobody = fs::metadata(directory).unwrap().uid() == NOBODY;
        if is_nobody || as_nobody("/bin/true").status().is_err() {
            // Unlike `eprintln!`, this is not captured by the test harness.
            let skipped = b"SKIPPED program_of_another_user_that_is_not_executable_is_copied: only root can run it\n";
            std::io::stderr().write_all(skipped).unwrap();
            return;
        }
        // The copy is not in a directory of this test.
        let program = &format!("it's a program {}", std::process::id());
        let unpacked = directory.join("-un packed");
        let name = format!("extension{}.sh", std::process::id());
        let script = unpacked.join(&name);
        write(&script, &start_script(program), "644");
        // Prints its process ID, its path, and a file next to it.
        let text = "#!/bin/sh\nprintf '%s\\n' $$ \"$0\"\nexec cat \"${0%/*}/data\" \"$@\"\n";
        write(&unpacked.join(program), text, "644");
        write(&unpacked.join("data"), "some data", "644");

        let kept = PathBuf::from(format!("/tmp/extension.{name}"));
        let hostile = directory.join("hostile");
        write(&hostile.join(program), "#!/bin/sh\necho hostile\n", "755");
        fs::set_permissions(&hostile, Permissions::from_mode(0o777)).unwrap();

        let called = script.to_str().unwrap();
        for (called, squatter) in [
            (called, None),
            (&format!("-un packed/{name}"), None),
            (called, Some("link")),
            (called, Some("directory")),
            (called, Some("file")),
        ] {
            match squatter {
                Some("link") => symlink(&hostile, &kept).unwrap(),
                Some("directory") => fs::rename(&hostile, &kept).unwrap(),
                Some(_) => write(&kept, "hostile", "777"),
                None => {}
            }
            for shell in ["sh", "dash", "bash --posix", "busybox sh"] {
                let mut words = shell.split_whitespace();
                let Some(shell) = words.next().filter(|shell| is_in_path(shell)) else {
                    continue;
                };
                let mut command = as_nobody(shell);
                command.args(words).args(["--", called, "/dev/null"]);
                let child = command
                    .stdout(std::process::Stdio::piped())
                    .stderr(std::process::Stdio::piped())
                    .spawn()
                    .unwrap();
                let pid = child.id();
                let output = child.wait_with_output().unwrap();
                let stdout = String::from_utf8(output.stdout).unwrap();
                let stderr = String::from_utf8(output.stderr).unwrap();
                let lines: Vec<_> = stdout.lines().collect();
                let [first, path, data] = lines[..] else {
                    panic!("{shell} {called}: {stdout}{stderr}");
                };
                assert_eq!((first, data), (pid.to_string().as_str(), "some data"));
                assert_eq!(stderr, "");
                let copy = Path::new(path).parent().unwrap();
                assert_eq!(copy.parent(), Some(Path::new("/tmp")), "{path}");
                let metadata = fs::metadata(copy).unwrap();
                assert_eq!((metadata.uid(), metadata.mode() & 0o777), (NOBODY, 0o700));
                // Without a squatter, every start uses the same directory. Otherwise, it uses a new one.
                assert_eq!(copy == kept, squatter.is_none(), "{path} {squatter:?}");
                if squatter.is_some() {
                    fs::remove_dir_all(copy).unwrap();
                }
            }
            match squatter {
                Some("link" | "file") => fs::remove_file(&kept).unwrap(),
                _ if called.starts_with('/') && squatter.is_none() => {}
                _ => fs::remove_dir_all(&kept).unwrap(),
            }
        }
    }

    fn is_in_path(program: &str) -> bool {
        let paths = std::env::var_os("PATH").unwrap();
        std::env::split_paths(&paths).any(|path| path.join(program).is_file())
    }
}
