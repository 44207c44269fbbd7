//! The page that shows the instance: its server, its assets, and its export as one file.

mod assets;
pub(crate) mod export;
