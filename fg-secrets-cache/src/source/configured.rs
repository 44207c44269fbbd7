//! The source that the settings name.

use fg_extension::{Error, Setting};

use super::csms::Csms;
use super::file::FileSource;
use super::http::HttpSource;
use super::{BoxedSource, Fetched, SecretName, Source, SourceError};
use crate::TARGET;
use crate::config::parse_path;

/// The setting with the kind of the source.
const SOURCE_SETTING: &str = "FG_SECRETS_SOURCE";

/// The setting with the path of the file.
const FILE_SETTING: &str = "FG_SECRETS_FILE";

/// Creates the source that the settings name, which `lookup` looks up.
///
/// # Errors
///
/// Returns an error if a setting of the source is invalid or missing.
pub(crate) fn configured(
    lookup: &impl Fn(&str) -> Result<Option<Setting>, Error>,
) -> Result<BoxedSource, Error> {
    let Some(kind) = lookup(SOURCE_SETTING)? else {
        tracing::error!(target: TARGET, "{}", NoSource::MESSAGE);
        return Ok(Box::new(NoSource));
    };
    match kind.value() {
        "file" => {
            let file = lookup(FILE_SETTING)?.ok_or_else(|| {
                format!("{FILE_SETTING} is not set; write the path of a JSON file with secrets")
            })?;
            Ok(Box::new(FileSource::new(parse_path(&file)?)))
        }
        "http" => Ok(Box::new(HttpSource::read(lookup)?)),
        "csms" => Ok(Box::new(Csms::read(lookup)?)),
        _ => Err(kind
            .invalid("is not a source", "write `file`, `http` or `csms`")
            .into()),
    }
}

/// What is used while the user has not chosen a source.
struct NoSource;

impl NoSource {
    const MESSAGE: &str =
        "no source of secrets is set; set FG_SECRETS_SOURCE to `file`, `http` or `csms`";
}

impl Source for NoSource {
    async fn fetch(&self, _: &SecretName) -> Result<Fetched, SourceError> {
        Err(SourceError::failed(Self::MESSAGE))
    }
}
