//! Reads keys from the terminal, one at a time, without Enter.

use std::fs::File;
use std::io::{ErrorKind, stdin};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use nix::fcntl::OFlag;
use nix::sys::signal::{Signal as Number, raise};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp, ttyname};
use tokio::net::unix::pipe::Receiver;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::signals::{KillHook, before_kill};

/// The line that lists the keys; with its label, it fits into 80 columns.
pub(crate) const HELP: &str = "i invoke, t telemetry, f freeze, r rebuild, s stop, o page, q quit";

/// A key that has a meaning.
pub(crate) enum Key {
    Invoke,
    Telemetry,
    Freeze,
    Rebuild,
    Shutdown,
    Page,
    Quit,
    Help,
}

/// The controlling terminal, in a mode in which keys arrive when they are pressed. Dropping it restores the mode.
pub(crate) struct Keyboard {
    /// A separate open file, so that `O_NONBLOCK` does not affect other processes that use the terminal. A terminal is
    /// not a pipe, but this is the type of tokio that reads any file that can be polled, without `unsafe`.
    tty: Receiver,
    original_mode: Termios,
    suspend: Signal,
    resume: Signal,
    _kill_hook: KillHook,
}

impl Keyboard {
    /// Opens the controlling terminal, and starts to read single keys.
    pub(crate) fn open() -> anyhow::Result<Self> {
        let cannot = "cannot read keys from the terminal";
        let tty = File::options()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(terminal())
            .context(cannot)?;
        let original_mode = tcgetattr(&tty).context(cannot)?;
        let (killed_tty, mode) = (tty.try_clone().context(cannot)?, original_mode.clone());
        // Output that the terminal holds back must not delay the kill.
        let kill_hook = before_kill(move || set_mode(&killed_tty, SetArg::TCSANOW, &mode));
        let keyboard = Self {
            original_mode,
            _kill_hook: kill_hook,
            suspend: signal(SignalKind::from_raw(Number::SIGTSTP as i32)).context(cannot)?,
            resume: signal(SignalKind::from_raw(Number::SIGCONT as i32)).context(cannot)?,
            tty: Receiver::from_file_unchecked(tty).context(cannot)?,
        };
        keyboard.enable_key_mode();
        Ok(keyboard)
    }

    /// Waits until a key that has a meaning is pressed. Also handles Ctrl-Z, which suspends this process.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no key is lost.
    pub(crate) async fn next_key(&mut self) -> Key {
        loop {
            tokio::select! {
                // Ctrl-Z: restore the mode for the shell before this process stops.
                _ = self.suspend.recv() => {
                    self.restore_mode();
                    let _ = raise(Number::SIGSTOP);
                    self.enable_key_mode();
                }
                _ = self.resume.recv() => self.enable_key_mode(),
                key = read_byte(&self.tty) => match key {
                    Some(b'i' | b'\n' | b'\r') => return Key::Invoke,
                    Some(b't') => return Key::Telemetry,
                    Some(b'f') => return Key::Freeze,
                    Some(b'r' | b'b') => return Key::Rebuild,
                    Some(b's') => return Key::Shutdown,
                    Some(b'o') => return Key::Page,
                    // The terminal has hung up, or Ctrl-D (4) was pressed.
                    None | Some(b'q' | 4) => return Key::Quit,
                    Some(b'?' | b'h') => return Key::Help,
                    Some(_) => {}
                },
            }
        }
    }

    /// Turns off line mode and echo; Ctrl-C still sends a signal.
    fn enable_key_mode(&self) {
        let mut mode = self.original_mode.clone();
        mode.local_flags
            .remove(LocalFlags::ICANON | LocalFlags::ECHO);
        set_mode(&self.tty, SetArg::TCSADRAIN, &mode);
    }

    fn restore_mode(&self) {
        set_mode(&self.tty, SetArg::TCSADRAIN, &self.original_mode);
    }
}

fn set_mode(tty: &impl AsFd, when: SetArg, mode: &Termios) {
    // Changing the mode stops a process that is in the background.
    if is_foreground(tty) {
        // This fails only if the terminal has hung up.
        let _ = tcsetattr(tty, when, mode);
    }
}

/// Returns the path of the controlling terminal.
fn terminal() -> PathBuf {
    // macOS cannot poll `/dev/tty`, but it can poll the device itself.
    let device = cfg!(target_os = "macos").then(|| ttyname(stdin()).ok());
    device
        .flatten()
        .unwrap_or_else(|| PathBuf::from("/dev/tty"))
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.restore_mode();
    }
}

/// Reads one byte. Returns `None` if the terminal has hung up.
async fn read_byte(tty: &Receiver) -> Option<u8> {
    loop {
        tty.readable().await.ok()?;
        let mut byte = [0];
        // While this process is in the background, input belongs to the shell, and reading it stops this process.
        if !is_foreground(tty) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        }
        match tty.try_read(&mut byte) {
            Ok(1) => return Some(byte[0]),
            Ok(_) => return None,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
}

fn is_foreground(tty: &impl AsFd) -> bool {
    tcgetpgrp(tty) == Ok(getpgrp())
}
