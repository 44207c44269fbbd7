//! `cargo xtask bless`: updates the files that tests compare with.

use crate::public_api;
use crate::run::{cargo, run};

/// Updates the expected compile errors, the expansions of the attribute, the templates of `cargo fg new`, the page of
/// conformance cases, and the public APIs.
pub(crate) fn bless() -> anyhow::Result<()> {
    run(cargo()?
        .args(["test", "-p", "fg-extension-macros-tests", "--", "fail::"])
        .env("TRYBUILD", "overwrite"))?;
    run(cargo()?
        .args(["test", "-p", "fg-extension-macros"])
        .env("UPDATE_EXPECT", "1"))?;
    run(cargo()?
        .args(["test", "-p", "cargo-fg", "--test", "it", "--"])
        .args(["templates_are", "conformance_cases_page"])
        .env("UPDATE_EXPECT", "1"))?;
    public_api::update()
}
