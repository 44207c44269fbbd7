//! The source `file`: a JSON object whose fields are secrets.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use tokio::sync::{Mutex, oneshot};
use zeroize::Zeroizing;

use super::{Fetched, SecretName, Source, SourceError, json};

/// The maximum size of the file.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Reads secrets from a file: `{"db/password": "…"}`. A string is the value, and any other JSON value is its own text.
///
/// The file is read again for each fetch, and a changed file is noticed at the next request.
#[derive(Debug)]
pub(crate) struct FileSource {
    path: Arc<Path>,
    /// Held by the thread that accesses the file. A file on a network may hang, and then there is only one such thread.
    access: Arc<Mutex<()>>,
}

impl FileSource {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path: path.into(),
            access: Arc::default(),
        }
    }

    /// Runs a function that accesses the file on a thread of its own. Returns `None` if the thread cannot be started.
    async fn run<T: Send + 'static>(
        &self,
        access: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> Option<T> {
        let guard = Arc::clone(&self.access).lock_owned().await;
        let (sender, receiver) = oneshot::channel();
        let path = Arc::clone(&self.path);
        let run = move || {
            let output = access(&path);
            drop(guard);
            // The fetch may have timed out.
            let _ = sender.send(output);
        };
        let thread = thread::Builder::new().name("secrets file".to_owned());
        thread.spawn(run).ok()?;
        receiver.await.ok()
    }
}

impl Source for FileSource {
    async fn fetch(&self, name: &SecretName) -> Result<Fetched, SourceError> {
        let name = name.clone();
        let read = self.run(move |path| read(path, &name)).await;
        read.unwrap_or_else(|| {
            Err(SourceError::failed(
                "cannot start a thread that reads the file",
            ))
        })
    }

    async fn has_changed(&self, _: &SecretName, version: Option<&str>) -> bool {
        let metadata = self.run(|path| path.metadata()).await;
        // While the file is missing, the value stays in use until it expires.
        let metadata = metadata.and_then(Result::ok);
        metadata.is_some_and(|metadata| version != Some(&stamp(&metadata)))
    }
}

/// Returns what changes whenever the file does.
fn stamp(metadata: &Metadata) -> String {
    format!(
        "{:x}.{:x}-{:x}-{:x}",
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ino(),
        metadata.len()
    )
}

fn read(path: &Path, name: &SecretName) -> Result<Fetched, SourceError> {
    let shown = path.display();
    let failed = |error: io::Error| SourceError::failed(format!("cannot read {shown}: {error}"));
    let mut file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.len() > MAX_FILE_BYTES {
        let message = format!("{shown} is larger than {MAX_FILE_BYTES} bytes");
        return Err(SourceError::failed(message));
    }
    // Of the exact size, and one more byte to see the end: a buffer that grew would leave copies in memory.
    let mut text = Zeroizing::new(vec![0; metadata.len() as usize + 1]);
    let mut length = 0;
    loop {
        match file.read(&mut text[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    // If the buffer is full, the file has grown in the meantime.
    let object = match length < text.len() {
        true => json::fields(&text[..length]),
        false => None,
    };
    let object = object.ok_or_else(|| {
        SourceError::failed(format!(
            "{shown} is not a JSON object; write the secrets as {{\"name\": \"value\"}}"
        ))
    })?;
    let value = object.get(name.as_str()).ok_or(SourceError::not_found())?;
    let value = json::decode(value.get())
        .ok_or_else(|| SourceError::failed(format!("{shown} has an invalid value for {name}")))?;
    Ok(Fetched::new(value).with_version(stamp(&metadata)))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::source::SourceErrorKind;

    fn file(text: &str) -> (TempDir, FileSource) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets.json");
        std::fs::write(&path, text).unwrap();
        (directory, FileSource::new(path))
    }

    async fn fetch(source: &FileSource, name: &str) -> Result<String, SourceError> {
        let fetched = Source::fetch(source, &SecretName::new(name).unwrap()).await?;
        Ok(String::from_utf8(fetched.value.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn fields_of_the_object_are_secrets() {
        let (_directory, source) = file(
            r#"{"db/password": "a\"\u00e9\ud83d\ude00\uFFFD\n", "json": {"user": "me"}, "n": 1, "empty": ""}"#,
        );
        for (name, value) in [
            ("db/password", "a\"é😀\u{fffd}\n"),
            ("json", r#"{"user": "me"}"#),
            ("n", "1"),
            ("empty", ""),
        ] {
            assert_eq!(fetch(&source, name).await.as_deref(), Ok(value));
        }
        let error = fetch(&source, "other").await.unwrap_err();
        assert_eq!(error, SourceError::not_found());
    }

    #[tokio::test]
    async fn change_is_noticed() {
        let (_directory, source) = file(r#"{"a": "1"}"#);
        let name = SecretName::new("a").unwrap();
        let first = Source::fetch(&source, &name).await.unwrap();
        let has_changed = async || Source::has_changed(&source, &name, first.version.as_deref());
        assert!(!has_changed().await.await);
        let other = source.path.with_extension("new");
        std::fs::write(&other, r#"{"a": "2"}"#).unwrap();
        std::fs::rename(&other, &source.path).unwrap();
        assert!(has_changed().await.await);
        assert_eq!(fetch(&source, "a").await.as_deref(), Ok("2"));
        std::fs::remove_file(&source.path).unwrap();
        assert!(!has_changed().await.await);
    }

    #[tokio::test]
    async fn errors_do_not_quote_the_file() {
        for text in [
            "",
            "hunter2",
            r#"{"a": "hunter2"#,
            r#"["hunter2"]"#,
            r#"{"a": "hunter2\ud800"}"#,
        ] {
            let (_directory, source) = file(text);
            let error = fetch(&source, "a").await.unwrap_err();
            assert_eq!(error.kind(), SourceErrorKind::Failed, "{error}");
            let message = error.to_string();
            assert!(
                message.contains("secrets.json") && !message.contains("hunter2"),
                "{message}"
            );
        }
        let source = FileSource::new("/no/such/file".into());
        let error = fetch(&source, "a").await.unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot read /no/such/file: No such file or directory (os error 2)"
        );
    }
}
