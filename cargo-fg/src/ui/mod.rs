//! The page that shows the instance: its server, its assets, and its export as one file.
//!
//! The server reads the journal, and sends the commands of the page over a channel to the loop of `dev`, which executes them
//! like keys.

mod access;
mod assets;
mod command;
mod commands;
mod event_stream;
pub(crate) mod export;
mod listener;
mod response;
mod router;
mod server;
mod state;

pub(crate) use self::command::{
    BatchSpec, Executed, PageCommand, PageReply, PageRequest, channel as command_channel,
};
pub(crate) use self::listener::PagePort;
pub(crate) use self::server::{PageContent, PageServer};
pub(crate) use self::state::{BatchProgress, InstanceState, PageMode, PageState};
