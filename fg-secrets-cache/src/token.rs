//! The token that each request contains.

use std::fmt::{self, Write as _};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use fg_extension::{Error, Setting};
use fg_util::secrets::{TOKEN_FILE_SETTING, TOKEN_SETTING};
use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The minimum length of a token that a user chooses.
const MIN_TOKEN_LEN: usize = 16;

/// Where the token comes from.
pub(crate) enum TokenConfig {
    Setting(Zeroizing<String>),
    File(PathBuf),
}

/// The token of this process.
pub(crate) struct Token {
    value: Zeroizing<String>,
    file: Option<TokenFile>,
}

/// A file that is removed when this is dropped, unless another process has replaced it.
struct TokenFile {
    path: PathBuf,
    inode: (u64, u64),
}

/// Parses a token that a user has chosen.
///
/// # Errors
///
/// Returns an error if it is too short, or cannot be sent in a header.
pub(crate) fn parse(setting: Setting) -> Result<TokenConfig, Error> {
    let token = setting.value();
    let problem = if token.len() < MIN_TOKEN_LEN {
        "the value is too short"
    } else if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        "the value contains spaces, or characters that are not ASCII"
    } else {
        return Ok(TokenConfig::Setting(Zeroizing::new(setting.into_value())));
    };
    let hint = "write at least 16 characters, such as the output of `openssl rand -hex 32`";
    Err(setting.unreadable(&format!("{problem}; {hint}")).into())
}

impl Token {
    /// Returns the token from the setting, or else a random one, which it writes to the file.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written.
    pub(crate) fn create(config: TokenConfig) -> Result<Self, Error> {
        match config {
            TokenConfig::Setting(value) => Ok(Self { value, file: None }),
            TokenConfig::File(path) => {
                let value = Zeroizing::new(random_hex()?);
                let inode = write(&path, &value).map_err(|error| {
                    let path = path.display();
                    format!(
                        "cannot write the token to {path}: {error}; set {TOKEN_FILE_SETTING} to another path, or set {TOKEN_SETTING}"
                    )
                })?;
                let file = Some(TokenFile { path, inode });
                Ok(Self { value, file })
            }
        }
    }

    /// Returns whether a client has sent this token. This takes equally long for all tokens of one length.
    pub(crate) fn is(&self, sent: &[u8]) -> bool {
        self.value.as_bytes().ct_eq(sent).into()
    }

    /// Returns where a client finds the token, for error messages.
    pub(crate) fn place(&self) -> String {
        match &self.file {
            None => format!("the value of {TOKEN_SETTING}"),
            Some(file) => format!("the content of {}", file.path.display()),
        }
    }
}

/// Writes the token to a file that only this user can read, and returns which file this is.
///
/// The file is created next to the path under a new name, which fails if something has that name, and then renamed. So
/// neither a file that others can read nor a symbolic link at the path is written to: it is replaced.
fn write(path: &Path, token: &str) -> io::Result<(u64, u64)> {
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}", random_hex()?));
    let new = Path::new(&new);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(new)?;
    let written = file
        .write_all(token.as_bytes())
        .and_then(|()| file.metadata())
        .and_then(|metadata| {
            fs::rename(new, path)?;
            Ok((metadata.dev(), metadata.ino()))
        });
    if written.is_err() {
        // The error that matters is the first one.
        let _ = fs::remove_file(new);
    }
    written
}

/// Returns 32 random bytes in hexadecimal digits.
fn random_hex() -> io::Result<String> {
    let mut bytes = Zeroizing::new([0; 32]);
    SystemRandom::new()
        .fill(&mut *bytes)
        .map_err(|_| io::Error::other("the system has no random numbers"))?;
    // Of the exact size, since a string that grew would leave copies in memory.
    let mut hex = String::with_capacity(2 * bytes.len());
    for byte in bytes.iter() {
        // A string accepts everything.
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(hex)
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        let metadata = fs::symlink_metadata(&self.path);
        if metadata.is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.inode) {
            // The file is of no use to others, so a failure does no harm.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl fmt::Debug for TokenConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenConfig").finish_non_exhaustive()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use fg_extension::SettingSource;

    use super::*;

    #[test]
    fn token_file_is_private_and_replaces_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let victim = directory.path().join("victim");
        fs::write(&victim, "untouched").unwrap();
        symlink(&victim, &path).unwrap();

        let first = Token::create(TokenConfig::File(path.clone())).unwrap();
        let metadata = fs::symlink_metadata(&path).unwrap();
        assert!(metadata.is_file());
        assert_eq!(metadata.mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
        let text = fs::read(&path).unwrap();
        assert_eq!(text.len(), 64);
        assert!(first.is(&text) && !first.is(b"") && !first.is(&text[1..]));

        let second = Token::create(TokenConfig::File(path.clone())).unwrap();
        assert!(!second.is(&text) && second.is(&fs::read(&path).unwrap()));
        drop(first);
        assert!(path.exists(), "it is the file of the second token");
        drop(second);
        assert!(!path.exists());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn token_file_that_cannot_be_written_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let error = Token::create(TokenConfig::File(directory.path().into())).unwrap_err();
        let message = error.to_string();
        assert!(
            message.starts_with("cannot write the token to /")
                && message.contains("set FG_SECRETS_TOKEN"),
            "{message}"
        );
        // The new file is next to the path, and was removed.
        let parent = directory.path().parent().unwrap();
        let name = directory.path().file_name().unwrap().to_str().unwrap();
        let rest = fs::read_dir(parent).unwrap().filter_map(Result::ok);
        let rest = rest.filter(|it| it.file_name().to_string_lossy().starts_with(name));
        assert_eq!(rest.count(), 1);
    }

    #[test]
    fn chosen_token_is_checked() {
        let parse = |value| {
            let setting = Setting::new(TOKEN_SETTING, value, SettingSource::Environment);
            parse(setting.unwrap())
        };
        assert!(parse("0123456789abcdef").is_ok());
        for value in ["hunter2", "hunter2 hunter2 hunter2", "hunter2äääääääääää"] {
            let error = parse(value).unwrap_err().to_string();
            assert!(
                error.contains("16 characters") && !error.contains("hunter2"),
                "{error}"
            );
        }
    }
}
