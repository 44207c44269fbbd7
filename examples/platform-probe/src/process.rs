//! What the probe sees of its own process: arguments, files, user, environment, limits.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{AccessFlags, access};
use serde_json::Value;

use crate::SCRIPT;
use crate::redact::{Name, class, length_class, path, process_name};
use crate::row::Row;

/// The variables that the platform sets for a function (D functiongraph_01_0154).
const FUNCTION_VARIABLES: [&str; 11] = [
    "RUNTIME_PROJECT_ID",
    "RUNTIME_FUNC_NAME",
    "RUNTIME_FUNC_VERSION",
    "RUNTIME_HANDLER",
    "RUNTIME_TIMEOUT",
    "RUNTIME_MEMORY",
    "RUNTIME_CPU",
    "RUNTIME_USERDATA",
    "RUNTIME_PACKAGE",
    "RUNTIME_CODE_ROOT",
    "RUNTIME_LOG_DIR",
];

/// The setting that the guide asks the user to set in the function's console, to see where it arrives.
const MARK: &str = "PROBE_MARK";

pub(crate) fn rows() -> Vec<Row> {
    let status = Status::read();
    let directory = env::current_exe().ok();
    let directory = directory.as_deref().and_then(Path::parent);
    let variables: BTreeMap<_, _> = env::vars_os()
        .map(|(name, value)| {
            let text = |it: std::ffi::OsString| it.to_string_lossy().into_owned();
            (text(name), text(value))
        })
        .collect();
    let cwd = env::current_dir().ok();
    let cwd = cwd.map(|it| path(&it.to_string_lossy()));
    vec![
        Row::new('?', "working directory", cwd),
        Row::new('?', "arguments", arguments()),
        Row::new('?', "shell: what `/bin/sh` is", shell()),
        Row::new('?', "parent process", parent(&status)),
        Row::new(
            '?',
            "directory of the program",
            directory.map(|it| path(&it.to_string_lossy())),
        ),
        Row::list(
            '?',
            "mode bits of the start script, the program and their directory",
            directory.map(modes).unwrap_or_default(),
        ),
        Row::new(
            '?',
            "other files in the directory: are dependencies unpacked over one another",
            directory.and_then(neighbors),
        ),
        Row::new('I', "user: an ordinary one (`snuser`, 1003)", status.user()),
        Row::list(
            '?',
            "privileges",
            status.lines(&["CapPrm", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp"]),
        ),
        Row::list('?', "umask", status.lines(&["Umask"])),
        Row::list(
            'I',
            "names of environment variables, and what their values look like",
            variables
                .iter()
                .map(|(name, value)| variable(name, value))
                .collect(),
        ),
        Row::new(
            'I',
            "an extension inherits the environment of the function",
            inherited(&variables),
        ),
        Row::new(
            '?',
            "do variables that a user sets reach an extension, and how",
            mark(&variables),
        ),
        Row::new(
            'D',
            "`RUNTIME_USERDATA` is a JSON map; how are numbers written",
            user_data(&variables),
        ),
        Row::new(
            'I',
            "`EXTENSION_API_ADDR` is `host:port`",
            variables.get("EXTENSION_API_ADDR").map(|it| class(it)),
        ),
        Row::list(
            'D',
            "limits of the process (1,024 processes, 1,024 to 2,048 open files)",
            limits(),
        ),
        Row::list('D', "where it may write (`/tmp`)", writable(directory)),
    ]
}

fn arguments() -> String {
    let own = env::args().next().unwrap_or_default();
    format!(
        "{} besides the program; the program is called by {}",
        env::args().len() - 1,
        class(&own)
    )
}

fn shell() -> Option<String> {
    let program = fs::canonicalize("/bin/sh").ok()?;
    Some(path(&program.to_string_lossy()))
}

fn parent(status: &Status) -> Option<String> {
    let id = status.get("PPid")?;
    if id == "0" {
        return Some("outside of the PID namespace".to_owned());
    }
    let name = fs::read_to_string(format!("/proc/{id}/comm")).ok();
    let name = name.map_or("a process whose name is not readable".to_owned(), |it| {
        process_name(it.trim())
    });
    let first = if id == "1" { ", PID 1" } else { "" };
    Some(format!(
        "{name}{first}; the probe's PID is {}",
        if std::process::id() == 1 {
            "1"
        } else {
            "not 1"
        }
    ))
}

fn modes(directory: &Path) -> Vec<String> {
    let uid = fs::metadata("/proc/self").map(|it| it.uid());
    let mode = |(label, path): (&str, &Path)| {
        let metadata = fs::metadata(path).ok()?;
        let owner = match (metadata.uid(), &uid) {
            (owner, Ok(own)) if owner == *own => "the probe's user",
            (0, _) => "root",
            _ => "another user",
        };
        Some(format!(
            "{label}: {:o} of {owner}",
            metadata.mode() & 0o7777
        ))
    };
    let program = env::current_exe().unwrap_or_default();
    [
        ("script", directory.join(SCRIPT).as_path()),
        ("program", &program),
        ("directory", directory),
    ]
    .into_iter()
    .filter_map(mode)
    .collect()
}

fn neighbors(directory: &Path) -> Option<String> {
    let names = fs::read_dir(directory).ok()?.flatten();
    let names: Vec<_> = names
        .map(|it| it.file_name().to_string_lossy().into_owned())
        .collect();
    let is_script = |it: &&String| it.starts_with("extension") && it.ends_with(".sh");
    Some(format!(
        "{} files, of which {} start scripts",
        names.len(),
        names.iter().filter(is_script).count()
    ))
}

fn variable(name: &str, value: &str) -> String {
    let name = Name::new(name);
    match class(value) {
        class if value.is_empty() => format!("{name}: {class}"),
        class => format!("{name}: {class}, {} bytes", length_class(value)),
    }
}

fn inherited(variables: &BTreeMap<String, String>) -> String {
    let (set, missing): (Vec<_>, Vec<_>) = FUNCTION_VARIABLES
        .into_iter()
        .partition(|it| variables.contains_key(*it));
    let list = |names: Vec<_>| {
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    };
    format!("set: {}; not set: {}", list(set), list(missing))
}

fn mark(variables: &BTreeMap<String, String>) -> Option<String> {
    let data = user_data_fields(variables);
    let in_data = data.is_some_and(|fields| fields.contains_key(MARK));
    match (variables.contains_key(MARK), in_data) {
        (false, false) => None,
        (true, false) => Some(format!("{MARK} is an environment variable only")),
        (false, true) => Some(format!("{MARK} is in RUNTIME_USERDATA only")),
        (true, true) => Some(format!(
            "{MARK} is an environment variable, and in RUNTIME_USERDATA"
        )),
    }
}

fn user_data_fields(
    variables: &BTreeMap<String, String>,
) -> Option<serde_json::Map<String, Value>> {
    serde_json::from_str(variables.get("RUNTIME_USERDATA")?).ok()
}

fn user_data(variables: &BTreeMap<String, String>) -> Option<String> {
    let text = variables.get("RUNTIME_USERDATA")?;
    let Some(fields) = user_data_fields(variables) else {
        return Some(format!("not a JSON object, but {}", class(text)));
    };
    let count = |is: fn(&Value) -> bool| fields.values().filter(|it| is(it)).count();
    let (strings, numbers) = (count(Value::is_string), count(Value::is_number));
    let others = fields.len() - strings - numbers;
    Some(format!(
        "a JSON object, with strings: {strings}, numbers: {numbers}, others: {others}"
    ))
}

fn limits() -> Vec<String> {
    let text = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let limit = |label: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(label))?;
        let mut values = line.split_whitespace();
        let label = label.trim_start_matches("Max ");
        Some(format!(
            "{label} {} (at most {})",
            values.next()?,
            values.next()?
        ))
    };
    let labels = [
        "Max open files",
        "Max processes",
        "Max stack size",
        "Max core file size",
        "Max file size",
        "Max locked memory",
    ];
    labels.into_iter().filter_map(limit).collect()
}

fn writable(directory: Option<&Path>) -> Vec<String> {
    let home = env::var_os("HOME").map(std::path::PathBuf::from);
    let cwd = env::current_dir().ok();
    let places = [
        ("/tmp", Some(Path::new("/tmp"))),
        ("/var/tmp", Some(Path::new("/var/tmp"))),
        ("/dev/shm", Some(Path::new("/dev/shm"))),
        ("the working directory", cwd.as_deref()),
        ("the program's directory", directory),
        ("the home directory", home.as_deref()),
    ];
    let described = places.into_iter().filter_map(|(label, path)| {
        let path = path?;
        let answer = match access(path, AccessFlags::W_OK | AccessFlags::X_OK) {
            Ok(()) => "yes",
            Err(nix::errno::Errno::ENOENT) => "does not exist",
            Err(nix::errno::Errno::EROFS) => "no, it is read-only",
            Err(_) => "no",
        };
        Some(format!("{label}: {answer}"))
    });
    described.collect()
}

/// `/proc/self/status`.
struct Status(BTreeMap<String, String>);

impl Status {
    fn read() -> Self {
        let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        let owned = |(name, value): (&str, &str)| {
            let words: Vec<_> = value.split_whitespace().collect();
            (name.to_owned(), words.join(" "))
        };
        Self(fields.map(owned).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn lines(&self, names: &[&str]) -> Vec<String> {
        let line = |name: &&str| Some(format!("{name} {}", self.get(name)?));
        names.iter().filter_map(line).collect()
    }

    fn user(&self) -> Option<String> {
        let ids = |field| self.get(field).map(str::to_owned);
        let uid = ids("Uid")?;
        let own = uid.split(' ').next().unwrap_or_default();
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let entry = passwd
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>());
        let name = entry.into_iter().find(|fields| fields.get(2) == Some(&own));
        let name = match name.as_deref() {
            Some(["snuser", ..]) => "snuser",
            Some(["root", ..]) => "root",
            Some(_) => "another name",
            None => "no name",
        };
        let groups = ids("Groups").filter(|it| !it.is_empty());
        let groups = groups.unwrap_or_else(|| "none".to_owned());
        Some(format!(
            "{name}; uid {uid}; gid {}; groups {groups}",
            ids("Gid")?
        ))
    }
}
