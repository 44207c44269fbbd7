//! What an extension is booted from.

mod command;
mod start_script;

pub use self::command::ExtensionCommand;
