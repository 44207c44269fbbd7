//! Keys, on a terminal: one at a time, without Enter.

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use anyhow::Context;
use nix::fcntl::OFlag;
use nix::sys::signal::{Signal as Number, raise};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};
use tokio::net::unix::pipe::Receiver;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The line that tells of them, in 80 columns.
pub(crate) const HELP: &str = "i invoke, t telemetry on/off, f freeze, r rebuild, s stop, q quit";

pub(crate) enum Key {
    Invoke,
    Telemetry,
    Freeze,
    Rebuild,
    Shutdown,
    Quit,
    Help,
}

/// The terminal, which passes keys on as they are pressed. Dropped, it is as it was.
pub(crate) struct Keys {
    /// Opened anew, so that not to block is no matter of whoever else has the terminal.
    /// It is no pipe; but of tokio's safe types this is the one that reads whatever can be polled.
    tty: Receiver,
    before: Termios,
    suspend: Signal,
    resume: Signal,
}

impl Keys {
    pub(crate) fn open() -> anyhow::Result<Self> {
        let cannot = "cannot read keys from the terminal";
        let tty = File::options()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open("/dev/tty")
            .context(cannot)?;
        let keys = Self {
            before: tcgetattr(&tty).context(cannot)?,
            suspend: signal(SignalKind::from_raw(Number::SIGTSTP as i32)).context(cannot)?,
            resume: signal(SignalKind::from_raw(Number::SIGCONT as i32)).context(cannot)?,
            tty: Receiver::from_file_unchecked(tty).context(cannot)?,
        };
        keys.take();
        Ok(keys)
    }

    /// The next one that means something.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when this is dropped unfinished.
    pub(crate) async fn next(&mut self) -> Key {
        loop {
            tokio::select! {
                // Ctrl-Z: the shell gets the terminal as it was.
                _ = self.suspend.recv() => {
                    self.give_back();
                    let _ = raise(Number::SIGSTOP);
                    self.take();
                }
                _ = self.resume.recv() => self.take(),
                key = read(&self.tty) => match key {
                    Some(b'i' | b'\n' | b'\r') => return Key::Invoke,
                    Some(b't') => return Key::Telemetry,
                    Some(b'f') => return Key::Freeze,
                    Some(b'r' | b'b') => return Key::Rebuild,
                    Some(b's') => return Key::Shutdown,
                    // The terminal is gone, or Ctrl-D.
                    None | Some(b'q' | 4) => return Key::Quit,
                    Some(b'?' | b'h') => return Key::Help,
                    Some(_) => {}
                },
            }
        }
    }

    /// Without lines and echo; Ctrl-C stays a signal.
    fn take(&self) {
        let mut mode = self.before.clone();
        mode.local_flags
            .remove(LocalFlags::ICANON | LocalFlags::ECHO);
        self.set(&mode);
    }

    fn give_back(&self) {
        self.set(&self.before);
    }

    fn set(&self, mode: &Termios) {
        // From the background it would stop us.
        if is_foreground(&self.tty) {
            // If it fails, the terminal is gone.
            let _ = tcsetattr(&self.tty, SetArg::TCSADRAIN, mode);
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// One byte; none at the end.
async fn read(tty: &Receiver) -> Option<u8> {
    loop {
        tty.readable().await.ok()?;
        let mut byte = [0];
        // What is typed while we are in the background is the shell's, and to read it would stop us.
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
