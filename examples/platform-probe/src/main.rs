//! Records what no document says about the platform, without values.

use fg_extension::{Invocation, extension};

#[extension(name = "extensionPlatformProbe.sh", port = 8090)]
async fn on_invoke(_invocation: Invocation) {}
