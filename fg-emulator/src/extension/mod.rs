//! How to boot an extension: its command and its start script.

mod command;
mod start_script;

pub use self::command::ExtensionCommand;
