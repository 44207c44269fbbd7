//! [`Cgroup`]: a control group of its own for a process, if this machine allows one.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fg_extension_tests::Extension;

/// A control group below that of the test process. It is removed when it is dropped, so drop its processes first.
pub(super) struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Creates a group in the hierarchy of this controller of version 1.
    pub(super) fn v1(controller: &str, file: &str) -> Result<Self, String> {
        let mounted = |fields: &[&str]| {
            fields[2] == "cgroup" && fields[3].split(',').any(|option| option == controller)
        };
        let ours = |controllers: &str| controllers.split(',').any(|it| it == controller);
        Self::create(
            &format!("no hierarchy of the controller `{controller}` of cgroup v1 is mounted"),
            mounted,
            ours,
            file,
        )
    }

    /// Creates a group in the hierarchy of version 2.
    pub(super) fn v2(file: &str) -> Result<Self, String> {
        Self::create(
            "cgroup v2 is not mounted",
            |fields| fields[2] == "cgroup2",
            str::is_empty,
            file,
        )
    }

    /// Creates a group below that of this process. `file` is the control file that the test needs.
    fn create(
        missing: &str,
        mounted: impl Fn(&[&str]) -> bool,
        ours: impl Fn(&str) -> bool,
        file: &str,
    ) -> Result<Self, String> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let read = |path| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
        let mounts = read("/proc/self/mounts")?;
        let mount = mounts
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>())
            .find(|fields| fields.len() > 3 && mounted(fields))
            .ok_or(missing)?[1];
        let groups = read("/proc/self/cgroup")?;
        let own = groups
            .lines()
            .filter_map(|line| line.split_once(':')?.1.split_once(':'))
            .find(|(controllers, _)| ours(controllers))
            .ok_or(missing)?
            .1;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!(
            "{mount}{own}/fg-test-{}-{number}",
            std::process::id()
        ));
        let failed = |what: &str, error| format!("{what} {}: {error}", path.display());
        fs::create_dir(&path).map_err(|error| failed("cannot create", error))?;
        let group = Self { path };
        let file = group.path.join(file);
        // A process that may create a group may not be allowed to limit it.
        match fs::OpenOptions::new().write(true).open(&file) {
            Ok(_) => Ok(group),
            Err(error) => Err(format!("{}: {error}", file.display())),
        }
    }

    /// Moves a process with all its threads into the group.
    pub(super) fn adopt(&self, process: &Extension) -> Result<(), String> {
        fs::write(self.path.join("cgroup.procs"), process.id().to_string())
            .map_err(|error| format!("cannot move a process into a cgroup: {error}"))
    }

    /// Returns a shell command that moves the shell into the group.
    pub(super) fn enter(&self) -> String {
        format!("echo $$ >'{}/cgroup.procs'", self.path.display())
    }

    pub(super) fn write(&self, file: &str, value: &str) {
        self.try_write(file, value).expect("the group is ours");
    }

    pub(super) fn try_write(&self, file: &str, value: &str) -> Result<(), String> {
        let path = self.path.join(file);
        fs::write(&path, value).map_err(|error| format!("{}: {error}", path.display()))
    }

    pub(super) fn read(&self, file: &str) -> String {
        let path = self.path.join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let start = Instant::now();
        // A killed process leaves its group a moment after it was waited for.
        while fs::remove_dir(&self.path).is_err() && start.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
