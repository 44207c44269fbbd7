//! `cargo xtask fuzz`: runs the fuzz targets with libFuzzer.

use std::fs;

use anyhow::{Context, bail};

use crate::run::{command, root, run};

/// The toolchain that cargo-fuzz needs.
const TOOLCHAIN: &str = "nightly";

/// Runs one target or all of them, each for this time.
///
/// New inputs are kept in `target/fuzz/corpus/`, so that the next run starts from them, and an input that fails in
/// `fuzz/artifacts/`.
pub(crate) fn fuzz(target: Option<&str>, seconds: u32) -> anyhow::Result<()> {
    let root = root()?;
    let mut targets = Vec::new();
    for file in fs::read_dir(root.join("fuzz/fuzz_targets"))? {
        let name = file?.path();
        let name = name.file_stem().and_then(|name| name.to_str());
        targets.push(
            name.context("a fuzz target has a name in UTF-8")?
                .to_owned(),
        );
    }
    targets.sort();
    if let Some(target) = target {
        targets.retain(|name| name == target);
        if targets.is_empty() {
            bail!("unknown fuzz target `{target}`; the targets are in fuzz/fuzz_targets");
        }
    }
    // All at once, since each program contains all crates.
    run(command("rustup")?.args(["run", TOOLCHAIN, "cargo", "fuzz", "build"])).context(
        "cannot build the fuzz targets; they need `rustup toolchain install nightly` and `cargo install cargo-fuzz`",
    )?;
    for target in targets {
        println!("fuzzing {target} for {seconds} s");
        let found = root.join("target/fuzz/corpus").join(&target);
        fs::create_dir_all(&found)?;
        run(command("rustup")?
            .args(["run", TOOLCHAIN, "cargo", "fuzz", "run", &target])
            .arg(found)
            .arg(root.join("fuzz/corpus").join(&target))
            .args(["--", "-rss_limit_mb=2048", "-timeout=10", "-max_len=8192"])
            .args(["-print_final_stats=1", "-verbosity=0"])
            .arg(format!("-max_total_time={seconds}")))?;
    }
    Ok(())
}
