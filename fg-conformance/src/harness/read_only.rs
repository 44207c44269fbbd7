//! [`ReadOnly`]: runs the extension in a mount namespace in which only `/tmp` is writable (D: it is the writable place).

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use fg_emulator::ExtensionCommand;
use tokio::process::Command;
use tokio::time::timeout;

use crate::system::{IS_LINUX, NEEDS_LINUX};

/// What the system says if a process writes to a read-only file system, in lower case.
pub(crate) const ERROR: &str = "read-only file system";

/// How long trying the mount namespace may take. A mount of a server that does not respond can block it.
const TRIES_WITHIN: Duration = Duration::from_secs(10);

/// The shell script that makes all file systems read-only, except `/tmp` and those of the kernel, and then executes its other
/// arguments. Its first argument is a directory that becomes read-only although it may be in `/tmp`, or empty.
///
/// Options such as `nosuid` must be repeated, because a user namespace is not allowed to remove them.
const SCRIPT: &str = r#"
own=$1
shift
directory=$PWD
mount --bind /tmp /tmp || exit 125
while read -r id parent device root point options rest; do
    case $point in
        /tmp | /tmp/* | /proc | /proc/* | /sys | /sys/* | /dev | /dev/*) ;;
        *) mount -o "remount,bind,ro${options#r?}" "$(printf '%b' "$point")" 2>/dev/null ;;
    esac
done </proc/self/mountinfo
if [ -w / ]; then
    echo "the root file system cannot be mounted read-only" >&2
    exit 125
fi
if [ "$own" ]; then
    mount --bind "$own" "$own" && mount -o remount,bind,ro "$own" || exit 125
fi
# The working directory still belongs to the mount below /tmp.
cd "$directory" || exit 125
unset TMPDIR
exec "$@"
"#;

/// How to create the mount namespace on this machine.
pub(crate) struct ReadOnly {
    arguments: Vec<OsString>,
}

impl ReadOnly {
    /// Finds out how a mount namespace can be created: as root, or else in a user namespace. Returns why it cannot.
    pub(crate) async fn find(own_directory: Option<&Path>) -> Result<Self, String> {
        if !IS_LINUX {
            return Err(NEEDS_LINUX.to_owned());
        }
        let mut why = String::new();
        for options in [
            &["--mount"][..],
            &["--user", "--map-root-user", "--mount"][..],
        ] {
            let options = options.iter().map(OsString::from);
            let own = own_directory.unwrap_or(Path::new(""));
            let script = ["/bin/sh", "-c", SCRIPT, "read-only"].map(OsString::from);
            let arguments = options.chain(script).chain([own.into()]);
            let read_only = Self {
                arguments: arguments.collect(),
            };
            match read_only.try_out().await {
                Ok(()) => return Ok(read_only),
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    /// Runs an empty command.
    async fn try_out(&self) -> Result<(), String> {
        let output = Command::new("unshare")
            .args(&self.arguments)
            .arg("true")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = timeout(TRIES_WITHIN, output)
            .await
            .map_err(|_| format!("unshare did not exit within {TRIES_WITHIN:?}"))?
            .map_err(|error| format!("cannot run unshare: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let last = stderr.lines().last().unwrap_or_default();
        Err(format!("unshare: {} {last}", output.status))
    }

    /// Makes the command run in the mount namespace.
    pub(crate) fn wrap(&self, command: ExtensionCommand) -> ExtensionCommand {
        command.wrapper("unshare", &self.arguments)
    }
}
