//! Reads keys from the terminal, one at a time, without Enter.

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

/// The line that lists the keys, in 80 columns.
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

/// The terminal, in a mode in which keys arrive as they are pressed. Restores the mode when it is dropped.
pub(crate) struct Keyboard {
    /// Opened again, so that `O_NONBLOCK` does not affect other processes that have the terminal open.
    /// A terminal is not a pipe, but of tokio's safe types this is the one that reads whatever can be polled.
    tty: Receiver,
    original_mode: Termios,
    suspend: Signal,
    resume: Signal,
}

impl Keyboard {
    pub(crate) fn open() -> anyhow::Result<Self> {
        let cannot = "cannot read keys from the terminal";
        let tty = File::options()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open("/dev/tty")
            .context(cannot)?;
        let keyboard = Self {
            original_mode: tcgetattr(&tty).context(cannot)?,
            suspend: signal(SignalKind::from_raw(Number::SIGTSTP as i32)).context(cannot)?,
            resume: signal(SignalKind::from_raw(Number::SIGCONT as i32)).context(cannot)?,
            tty: Receiver::from_file_unchecked(tty).context(cannot)?,
        };
        keyboard.enable_key_mode();
        Ok(keyboard)
    }

    /// Waits until a key is pressed that has a meaning.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no key is lost.
    pub(crate) async fn next_key(&mut self) -> Key {
        loop {
            tokio::select! {
                // Ctrl-Z: restore the mode for the shell.
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
                    // The terminal is gone, or Ctrl-D.
                    None | Some(b'q' | 4) => return Key::Quit,
                    Some(b'?' | b'h') => return Key::Help,
                    Some(_) => {}
                },
            }
        }
    }

    /// Turns off line mode and echo; Ctrl-C still is a signal.
    fn enable_key_mode(&self) {
        let mut mode = self.original_mode.clone();
        mode.local_flags
            .remove(LocalFlags::ICANON | LocalFlags::ECHO);
        self.set_mode(&mode);
    }

    fn restore_mode(&self) {
        self.set_mode(&self.original_mode);
    }

    fn set_mode(&self, mode: &Termios) {
        // In the background this would stop the process.
        if is_foreground(&self.tty) {
            // If it fails, the terminal is gone.
            let _ = tcsetattr(&self.tty, SetArg::TCSADRAIN, mode);
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.restore_mode();
    }
}

/// Reads one byte; `None` if the terminal is gone.
async fn read_byte(tty: &Receiver) -> Option<u8> {
    loop {
        tty.readable().await.ok()?;
        let mut byte = [0];
        // What is typed while this process is in the background belongs to the shell, and reading it would stop the process.
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
