//! Runs fuzz targets as property tests: on the corpora in `fuzz/corpus/`, and on random mutations of them.
//!
//! libFuzzer finds new inputs because it sees which code they reach. This needs a nightly compiler and time. The property
//! tests run the same targets without that, so that every change is tested. CONTRIBUTING.md describes both.

mod current_input;
mod mutator;

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use current_input::CurrentInput;
use mutator::Mutator;

/// The seed of the mutations, unless `FG_FUZZ_SEED` sets another one.
const SEED: u64 = 15;

/// The maximum time for one input, on a busy machine and in a debug build.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Runs `target` on each file in `fuzz/corpus/<name>/`, and on `runs` mutations of them.
///
/// `FG_FUZZ_RUNS` sets the number of mutations, and `FG_FUZZ_SEED` their seed, which is a number. `FG_FUZZ_INPUT` is the
/// path of a file: then `target` only runs on its contents.
///
/// # Panics
///
/// Panics if `target` panics or takes too long. Which input that was, and how to replay it, is printed to stderr. Also
/// panics if the corpus of the target is missing.
pub fn check(name: &str, runs: u64, target: impl Fn(&[u8])) {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    if let Some(path) = variable::<PathBuf>("FG_FUZZ_INPUT") {
        let input = fs::read(&path).expect("FG_FUZZ_INPUT is the path of a file");
        target(&input);
        return;
    }
    let runs = variable("FG_FUZZ_RUNS").unwrap_or(runs);
    let seed = variable("FG_FUZZ_SEED").unwrap_or(SEED);
    run(name, &corpora.join(name), runs, seed, target);
}

fn variable<T: FromStr<Err: std::fmt::Debug>>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect(name))
}

fn run(name: &str, corpus: &Path, runs: u64, seed: u64, target: impl Fn(&[u8])) {
    let files = read(corpus);
    let mut current = CurrentInput::new(name);
    let mut run = |input: &[u8], origin: &dyn std::fmt::Display| {
        current.set(input, origin);
        let start = Instant::now();
        target(input);
        let elapsed = start.elapsed();
        assert!(elapsed < TIME_LIMIT, "the input took {elapsed:?}");
    };
    for (path, input) in &files {
        run(input, &path.display());
    }
    let mut mutator = Mutator::new(seed, files.into_iter().map(|(_, input)| input).collect());
    for number in 0..runs {
        let origin = format_args!("mutation {number} with FG_FUZZ_SEED={seed}").to_string();
        run(&mutator.next_input(), &origin);
    }
}

/// Reads the files in a directory, in the order of their names.
fn read(corpus: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(corpus).unwrap_or_else(|error| {
        panic!("cannot read the corpus {}: {error}", corpus.display());
    });
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("the directory can be read").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", corpus.display());
    let read = |path: PathBuf| {
        let input = fs::read(&path).expect("the file can be read");
        (path, input)
    };
    paths.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::HashSet;
    use std::fs;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::path::Path;

    use super::run;

    /// Returns the inputs that a target gets for a seed.
    fn inputs(seed: u64) -> Vec<Vec<u8>> {
        let corpus = tempfile::tempdir().unwrap();
        fs::write(corpus.path().join("b.json"), b"[{\"name\": 1}]").unwrap();
        fs::write(corpus.path().join("a.json"), b"[12, 34]").unwrap();
        let inputs = RefCell::new(Vec::new());
        run("inputs", corpus.path(), 500, seed, |input| {
            inputs.borrow_mut().push(input.to_vec());
        });
        inputs.into_inner()
    }

    /// Returns the names in a directory, without extensions.
    fn names(directory: &str) -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
        let entries = fs::read_dir(root.join(directory)).unwrap();
        let name = |entry: fs::DirEntry| {
            let path = entry.path().with_extension("");
            path.file_name().unwrap().to_str().unwrap().to_owned()
        };
        let mut names: Vec<_> = entries.map(|entry| name(entry.unwrap())).collect();
        names.sort();
        names
    }

    #[test]
    fn each_target_has_a_program_and_a_corpus() {
        let targets = names("fuzz_targets");
        assert_eq!(names("corpus"), targets);
        let manifest = include_str!("../../../fuzz/Cargo.toml");
        let programs = manifest.split("[[bin]]\nname = \"").skip(1);
        let programs: Vec<_> = programs
            .map(|program| program.split('"').next().unwrap())
            .collect();
        assert_eq!(programs, targets);
    }

    #[test]
    fn seed_determines_the_mutations() {
        let first = inputs(1);
        assert_eq!(first.len(), 502);
        assert_eq!(first[..2], [&b"[12, 34]"[..], b"[{\"name\": 1}]"]);
        assert_eq!(first, inputs(1));
        assert_ne!(first, inputs(2));
        let distinct: HashSet<_> = first.iter().collect();
        assert!(distinct.len() > 350, "{}", distinct.len());
    }

    #[test]
    fn failing_input_is_kept() {
        let corpus = tempfile::tempdir().unwrap();
        fs::write(corpus.path().join("number"), b"12345").unwrap();
        let failed = RefCell::new(Vec::new());
        let target = |input: &[u8]| {
            *failed.borrow_mut() = input.to_vec();
            assert!(input.len() <= 5, "it is long");
        };
        let test = || run("failing", corpus.path(), 1000, 1, target);
        assert!(catch_unwind(AssertUnwindSafe(test)).is_err());
        let path = super::current_input::path("failing");
        assert_eq!(fs::read(&path).unwrap(), *failed.borrow());
        assert!(failed.borrow().len() > 5);
        fs::remove_file(path).unwrap();
    }
}
