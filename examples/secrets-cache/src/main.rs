//! Gives the function values from a file, an HTTP endpoint or Huawei Cloud CSMS, cached.

use fg_extension::{Invocation, extension};

#[extension(name = "extensionSecretsCache.sh", port = 8089)]
async fn on_invoke(_invocation: Invocation) {}
