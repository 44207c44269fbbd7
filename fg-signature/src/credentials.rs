//! The access key, and the environment variables that it is read from.

use std::error::Error;
use std::fmt;

use zeroize::Zeroizing;

/// The variables of one tool. A set is used as a whole, so that the keys of two accounts are never mixed.
struct VariableSet {
    access_key: &'static str,
    secret_key: &'static str,
    security_token: &'static str,
}

/// In the order of precedence.
const SETS: [VariableSet; 2] = [
    // Those of the official SDKs: `auth/provider` of `huaweicloudsdkcore`.
    VariableSet {
        access_key: "HUAWEICLOUD_SDK_AK",
        secret_key: "HUAWEICLOUD_SDK_SK",
        security_token: "HUAWEICLOUD_SDK_SECURITY_TOKEN",
    },
    // Those of the Terraform provider `huaweicloud`.
    VariableSet {
        access_key: "HW_ACCESS_KEY",
        secret_key: "HW_SECRET_KEY",
        security_token: "HW_SECURITY_TOKEN",
    },
];

/// An access key with its secret key, and the security token of a temporary one.
///
/// The secret key and the token are overwritten when the value is dropped, and `Debug` does not show them.
#[derive(Clone)]
pub struct Credentials {
    access_key: String,
    secret_key: Zeroizing<String>,
    security_token: Option<Zeroizing<String>>,
}

impl Credentials {
    /// Creates the credentials of a permanent access key.
    pub fn new(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self {
            access_key: access_key.into(),
            secret_key: Zeroizing::new(secret_key.into()),
            security_token: None,
        }
    }

    /// Adds the security token that belongs to a temporary access key.
    #[must_use]
    pub fn with_security_token(mut self, token: impl Into<String>) -> Self {
        self.security_token = Some(Zeroizing::new(token.into()));
        self
    }

    /// Reads the credentials from variables, usually those of the environment.
    ///
    /// The variables are `HUAWEICLOUD_SDK_AK`, `HUAWEICLOUD_SDK_SK` and, for temporary keys, `HUAWEICLOUD_SDK_SECURITY_TOKEN`;
    /// if neither key is set there, `HW_ACCESS_KEY`, `HW_SECRET_KEY` and `HW_SECURITY_TOKEN`. Empty variables count as unset.
    ///
    /// ```
    /// use fg_signature::Credentials;
    ///
    /// let credentials = Credentials::from_variables(|name| std::env::var(name).ok());
    /// # let _ = credentials;
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the variables are unset, if only one of the two keys is set, or if a value contains a space or a
    /// control character, for example a line break that was copied with it. The message contains no values.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, CredentialsError> {
        let read = |name: &'static str| -> Result<Option<String>, CredentialsError> {
            let Some(value) = get(name).filter(|value| !value.is_empty()) else {
                return Ok(None);
            };
            if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(CredentialsError(Problem::Malformed(name)));
            }
            Ok(Some(value))
        };
        for set in &SETS {
            let (access_key, secret_key) = match (read(set.access_key)?, read(set.secret_key)?) {
                (None, None) => continue,
                (Some(access_key), Some(secret_key)) => (access_key, secret_key),
                (Some(_), None) => {
                    return Err(CredentialsError(Problem::Incomplete {
                        present: set.access_key,
                        missing: set.secret_key,
                    }));
                }
                (None, Some(_)) => {
                    return Err(CredentialsError(Problem::Incomplete {
                        present: set.secret_key,
                        missing: set.access_key,
                    }));
                }
            };
            let credentials = Self::new(access_key, secret_key);
            return Ok(match read(set.security_token)? {
                Some(token) => credentials.with_security_token(token),
                None => credentials,
            });
        }
        Err(CredentialsError(Problem::Missing))
    }

    pub(crate) fn access_key(&self) -> &str {
        &self.access_key
    }

    pub(crate) fn secret_key(&self) -> &str {
        &self.secret_key
    }

    pub(crate) fn security_token(&self) -> Option<&str> {
        self.security_token.as_ref().map(|token| token.as_str())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("temporary", &self.security_token.is_some())
            .finish_non_exhaustive()
    }
}

/// Why [`Credentials::from_variables`] found no credentials. The message names variables, and contains no values.
#[derive(Debug)]
pub struct CredentialsError(Problem);

#[derive(Debug)]
enum Problem {
    Missing,
    Incomplete {
        present: &'static str,
        missing: &'static str,
    },
    Malformed(&'static str),
}

impl CredentialsError {
    /// Returns `true` if none of the keys is set.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self.0, Problem::Missing)
    }
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Problem::Missing => {
                let [sdk, terraform] = &SETS;
                write!(
                    f,
                    "no access key: set the environment variables {} and {}, or {} and {}; for a temporary key, also {} or {}",
                    sdk.access_key,
                    sdk.secret_key,
                    terraform.access_key,
                    terraform.secret_key,
                    sdk.security_token,
                    terraform.security_token
                )
            }
            Problem::Incomplete { present, missing } => {
                write!(f, "{present} is set, but {missing} is not; set both")
            }
            Problem::Malformed(name) => write!(
                f,
                "{name} contains a space, a control character or a character outside ASCII; copy the key again"
            ),
        }
    }
}

impl Error for CredentialsError {}

#[cfg(test)]
mod tests {
    use super::Credentials;

    fn from(variables: &[(&str, &str)]) -> Result<Credentials, String> {
        Credentials::from_variables(|name| {
            variables
                .iter()
                .find(|(candidate, _)| *candidate == name)
                .map(|(_, value)| (*value).to_owned())
        })
        .map_err(|error| error.to_string())
    }

    #[test]
    fn a_set_of_variables_is_used_as_a_whole() {
        let sdk = [("HUAWEICLOUD_SDK_AK", "ak1"), ("HUAWEICLOUD_SDK_SK", "sk1")];
        let terraform = [
            ("HW_ACCESS_KEY", "ak2"),
            ("HW_SECRET_KEY", "sk2"),
            ("HW_SECURITY_TOKEN", "token2"),
        ];

        let both = from(&[sdk.as_slice(), &terraform].concat()).expect("both sets are complete");
        assert_eq!((both.access_key(), both.secret_key()), ("ak1", "sk1"));
        assert_eq!(both.security_token(), None);

        let second = from(&[[("HUAWEICLOUD_SDK_AK", "")].as_slice(), &terraform].concat())
            .expect("the second set is complete");
        assert_eq!((second.access_key(), second.secret_key()), ("ak2", "sk2"));
        assert_eq!(second.security_token(), Some("token2"));

        let error = from(&[&sdk[1..], &terraform].concat()).expect_err("half of the first set");
        assert_eq!(
            error,
            "HUAWEICLOUD_SDK_SK is set, but HUAWEICLOUD_SDK_AK is not; set both"
        );
    }

    #[test]
    fn messages_and_debug_contain_no_values() {
        let error = from(&[("HW_ACCESS_KEY", "ak"), ("HW_SECRET_KEY", "s3cret\n")])
            .expect_err("a line break");
        assert!(error.starts_with("HW_SECRET_KEY contains"), "{error}");
        assert!(!error.contains("s3cret"), "{error}");

        let error = Credentials::from_variables(|_| None).expect_err("no variables");
        assert!(error.is_missing(), "{error}");

        let credentials = Credentials::new("the-ak", "the-sk").with_security_token("the-token");
        assert_eq!(
            format!("{credentials:?}"),
            "Credentials { temporary: true, .. }"
        );
    }
}
