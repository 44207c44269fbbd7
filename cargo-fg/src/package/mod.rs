//! The ZIP that is uploaded as a dependency (D 2705, 2708).

mod archive;
mod contents;
mod linkage;
mod plan;
mod script;
mod settings;
mod upload_limits;
mod verify;

pub(crate) use archive::write;
pub(crate) use contents::Contents;
pub(crate) use upload_limits::how_to_upload;
pub(crate) use linkage::linkage;
pub(crate) use plan::{Plan, plan};
pub(crate) use verify::verify;
