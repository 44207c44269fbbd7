//! `cargo xtask dist`: builds `cargo-fg` from its package as a static program, and archives it for `cargo binstall`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::packages::{UnpackedWorkspace, target};
use crate::run::{command, output, root, run};

/// The targets that archives are built for; the first is the default.
pub(crate) const TARGETS: [&str; 2] = ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"];

/// The profile of the program: small, and the same bytes in every build.
const PROFILE: &str = "
[profile.release]
codegen-units = 1
lto = \"fat\"
strip = \"symbols\"
";

/// The files in the archive beside the program.
const DOCUMENTS: [&str; 4] = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"];

/// A program that was built, and its archive.
struct Distribution {
    program: PathBuf,
    archive: PathBuf,
}

/// Builds the program and its archive in `target/dist`, with a checksum.
pub(crate) fn dist(target: &str) -> anyhow::Result<()> {
    write_checksum(&build(target, &directory()?)?.archive)
}

/// Builds the program as [`dist`] does, and checks it: it has the same bytes if it is built in another directory, contains no
/// path of this machine, and behaves like a published one.
pub(crate) fn check(target: &str) -> anyhow::Result<()> {
    let directory = directory()?;
    let first = build(target, &directory)?;
    write_checksum(&first.archive)?;
    let second = build(target, &directory.join("in/another/directory"))?;
    for (first, second) in [
        (&first.program, &second.program),
        (&first.archive, &second.archive),
    ] {
        if fs::read(first)? != fs::read(second)? {
            bail!("{} and {} differ", first.display(), second.display());
        }
    }
    let program = fs::read(&first.program)?;
    for path in machine_paths(&directory)? {
        let path = path.to_string_lossy().into_owned();
        if contains(&program, path.as_bytes()) {
            bail!("{} contains the path {path}", first.program.display());
        }
    }
    if has_interpreter(&program).context("cannot read the ELF header of the program")? {
        bail!("{} is not static", first.program.display());
    }
    let mut new = Command::new(&first.program);
    // Outside of any clone. The variable is set because cargo runs this program.
    new.args(["fg", "new", "night-watch"])
        .env_remove("CARGO_MANIFEST_DIR");
    let temporary = std::env::temp_dir().join(format!("fg-dist-{}", std::process::id()));
    fs::create_dir_all(&temporary)?;
    let printed = output(new.current_dir(&temporary));
    let manifest = fs::read_to_string(temporary.join("night-watch/Cargo.toml"));
    fs::remove_dir_all(&temporary)?;
    let (printed, manifest) = (printed?, manifest?);
    let depends = "     Depends on the published fg-extension ";
    if !printed.contains(depends) || !manifest.contains("fg-extension = { version = ") {
        bail!(
            "a package from this program does not depend on the published version:\n{printed}\n{manifest}"
        );
    }
    println!("two builds are equal, and contain no path of this machine");
    Ok(())
}

/// Writes the checksum of an archive next to it, in the format that `sha256sum --check` reads.
fn write_checksum(archive: &Path) -> anyhow::Result<()> {
    let checksum = output(command("sha256sum")?.arg(archive))?;
    let checksum = checksum.split_whitespace().next().unwrap_or_default();
    let name = file_name(archive);
    let file = archive.with_file_name(format!("{name}.sha256"));
    fs::write(&file, format!("{checksum}  {name}\n"))
        .with_context(|| format!("cannot write {}", file.display()))?;
    let bytes = archive.metadata()?.len();
    println!("{}, {bytes} bytes, SHA-256 {checksum}", archive.display());
    Ok(())
}

/// Builds the program for the target in the directory.
fn build(target: &str, directory: &Path) -> anyhow::Result<Distribution> {
    let sources = directory.join("sources");
    let workspace = UnpackedWorkspace::create(&sources)?;
    let manifest = sources.join("Cargo.toml");
    let text = fs::read_to_string(&manifest)? + PROFILE;
    fs::write(&manifest, text)?;

    let sources = sources.canonicalize()?;
    let build_directory = directory.join("build");
    let mut build = workspace.cargo()?;
    build.args([
        "build",
        "--quiet",
        "--release",
        "--locked",
        "--package",
        "cargo-fg",
        "--target",
        target,
    ]);
    build.arg("--target-dir").arg(&build_directory);
    // The same paths on every machine.
    let mut flags = Vec::new();
    let mut c_flags = vec!["-U_FORTIFY_SOURCE".to_owned()];
    for (from, to) in [
        (sources, "/fg-extension"),
        (cargo_home()?, "/cargo"),
        (build_directory.clone(), "/build"),
    ] {
        let from = from.to_string_lossy().into_owned();
        flags.push(format!("--remap-path-prefix={from}={to}"));
        c_flags.push(format!("-ffile-prefix-map={from}={to}"));
    }
    for (variable, value) in [
        ("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")),
        ("CARGO_INCREMENTAL", "0".to_owned()),
        ("SOURCE_DATE_EPOCH", date()?),
        // For the C code of ring. Rust ships musl itself, and the checks would call into glibc.
        ("CFLAGS", c_flags.join(" ")),
    ] {
        build.env(variable, value);
    }
    let host = output(command("rustc")?.args(["--print", "host-tuple"]))?;
    let is_native = host.split('-').next() == target.split('-').next();
    let variable = target.replace('-', "_");
    if is_native {
        build.env(format!("CC_{variable}"), "cc");
    } else {
        // clang compiles for every processor.
        build.env(format!("CC_{variable}"), "clang");
        build.env(
            format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase()),
            "rust-lld",
        );
    }
    run(&mut build)?;
    let program = build_directory.join(target).join("release/cargo-fg");
    let package = workspace.directory.join(
        workspace
            .packages
            .iter()
            .find(|package| package.starts_with("cargo-fg-"))
            .context("cargo-fg is not published")?,
    );
    let archive = archive(target, directory, &program, &package)?;
    Ok(Distribution { program, archive })
}

/// Archives the program and the documents of its package: `pkg-url` and `bin-dir` in the Cargo.toml of cargo-fg are the names.
fn archive(
    target: &str,
    directory: &Path,
    program: &Path,
    package: &Path,
) -> anyhow::Result<PathBuf> {
    let name = format!("cargo-fg-{target}");
    let contents = directory.join(&name);
    if contents.exists() {
        fs::remove_dir_all(&contents)?;
    }
    fs::create_dir_all(&contents)?;
    fs::copy(program, contents.join("cargo-fg"))?;
    for document in DOCUMENTS {
        fs::copy(package.join(document), contents.join(document))?;
    }
    let tar = directory.join(format!("{name}.tar"));
    let mut command = command("tar")?;
    command.args([
        "--create",
        "--sort=name",
        "--format=ustar",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
    ]);
    command.args([
        "--mode=u=rwX,go=rX".to_owned(),
        format!("--mtime=@{}", date()?),
    ]);
    command
        .arg("--file")
        .arg(&tar)
        .arg("--directory")
        .arg(directory)
        .arg(&name);
    run(&mut command)?;
    // Without the name and the time of the file.
    run(self::command("gzip")?
        .args(["--best", "--no-name", "--force"])
        .arg(&tar))?;
    let archive = directory.join(format!("{name}.tgz"));
    fs::rename(directory.join(format!("{name}.tar.gz")), &archive)?;
    Ok(archive)
}

/// Returns the time of the last commit, or that of `SOURCE_DATE_EPOCH`, in seconds.
fn date() -> anyhow::Result<String> {
    if let Ok(date) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(date);
    }
    let date = output(command("git")?.args(["log", "-1", "--format=%ct"]))?;
    Ok(date.trim().to_owned())
}

fn directory() -> anyhow::Result<PathBuf> {
    Ok(target()?.join("dist"))
}

fn cargo_home() -> anyhow::Result<PathBuf> {
    std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(std::env::home_dir()?.join(".cargo")))
        .context("neither CARGO_HOME nor the home directory is known")
}

/// Returns the paths that the program must not contain.
fn machine_paths(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    Ok(vec![
        directory.to_owned(),
        cargo_home()?,
        root()?.to_owned(),
    ])
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// Returns whether a 64-bit little-endian ELF file names a dynamic linker in a segment, as programs that are not static do.
/// To search for its path is not enough: cargo-fg contains such paths as text, since it examines other programs. Returns `None`
/// if the file is not such an ELF file.
fn has_interpreter(elf: &[u8]) -> Option<bool> {
    const PT_INTERP: u64 = 3;
    if !elf.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let number = |at: usize, bytes: usize| {
        let bytes = elf.get(at..at.checked_add(bytes)?)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |number, byte| number << 8 | u64::from(*byte)),
        )
    };
    let headers = usize::try_from(number(32, 8)?).ok()?;
    let (size, count) = (number(54, 2)?, number(56, 2)?);
    for index in 0..count {
        let header = headers.checked_add(usize::try_from(index * size).ok()?)?;
        if number(header, 4)? == PT_INTERP {
            return Some(true);
        }
    }
    Some(false)
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::has_interpreter;

    #[test]
    fn interpreter_is_found_by_the_program_headers() {
        let mut elf = [0; 64 + 2 * 56];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        elf[32] = 64;
        elf[54] = 56;
        elf[56] = 2;
        elf[64] = 1;
        assert_eq!(has_interpreter(&elf), Some(false));
        elf[64 + 56] = 3;
        assert_eq!(has_interpreter(&elf), Some(true));
        assert_eq!(has_interpreter(&elf[..100]), None);
        assert_eq!(has_interpreter(b"/lib64/ld-linux-x86-64.so.2"), None);
        let this = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(has_interpreter(&this), Some(true));
    }
}
