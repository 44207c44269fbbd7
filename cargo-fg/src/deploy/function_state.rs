//! The function as the API describes it, and the request that changes its dependencies and nothing else.
//!
//! The dependencies are part of the function's code: `PUT …/code` is the only request that changes them, and it requires `code_type`
//! and `func_code` (D 0110). If `func_code` is empty, the function gets default code. So the code is read, and sent back as it came.

use anyhow::{Context, anyhow, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fg_util::error::{excerpt, one_line};
use ring::digest::{SHA512, digest};
use serde::Deserialize;
use serde_json::{Value, json};

/// What is printed before the function's code is sent back, if that is longer than a signed request may be.
pub(super) const TOO_LONG: &str = "the function's code is sent with the change, and is longer than 12 MB, which FunctionGraph may reject in a signed \
                             request; if it does, add the version in the console (Code > Dependencies > Add)";

/// The response to `GET …/code` (D 0107).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
struct Code {
    func_urn: String,
    runtime: String,
    code_type: String,
    #[serde(default)]
    code_url: Option<String>,
    #[serde(default)]
    code_filename: Option<String>,
    #[serde(default)]
    code_size: Option<u64>,
    #[serde(default)]
    digest: Option<String>,
    #[serde(default)]
    last_modified: Option<String>,
    #[serde(default)]
    func_code: Option<FuncCode>,
    /// IDs of dependencies, a predecessor of `depend_version_list`.
    #[serde(default)]
    depend_list: Option<Vec<String>>,
    #[serde(default)]
    depend_version_list: Option<Vec<String>>,
    #[serde(default)]
    dependencies: Option<Vec<Dependency>>,
}

// The response also has a `link`, which may contain a signature that differs in each response.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
struct FuncCode {
    #[serde(default)]
    file: Option<String>,
}

/// A dependency in the function's list.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
struct Dependency {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    dep_id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    version: Option<i64>,
}

/// The response to `GET …/config` (D 0106). It contains the function's variables, which are not read here.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
struct Config {
    #[serde(default)]
    depend_version_list: Option<Vec<String>>,
    #[serde(default)]
    code_encrypt_kms_key_id: Option<String>,
}

/// The function at one time.
#[derive(Clone, Debug)]
pub(super) struct FunctionState {
    code: Code,
    config: Config,
    dependencies: Vec<String>,
}

impl FunctionState {
    /// Reads the two responses.
    ///
    /// # Errors
    ///
    /// Returns an error if they lack a field, or contradict each other.
    pub(super) fn from_responses(code: Value, config: Value) -> anyhow::Result<Self> {
        let mut code: Code = parse(code, "code")?;
        let mut config: Config = parse(config, "configuration")?;
        let dependencies = match (&code.depend_version_list, &config.depend_version_list) {
            (Some(list), Some(other)) if sorted(list) != sorted(other) => {
                bail!(
                    "the API returned two different lists of dependencies, in the function's code and in its configuration; \
                     change them in the console instead"
                )
            }
            (Some(list), _) | (None, Some(list)) => list.clone(),
            (None, None) => Vec::new(),
        };
        // Whether the API returns the lists in the same order each time is unknown (?).
        for list in [
            &mut code.depend_list,
            &mut code.depend_version_list,
            &mut config.depend_version_list,
        ] {
            list.iter_mut().for_each(|list| list.sort());
        }
        code.dependencies.iter_mut().for_each(|list| list.sort());
        let state = Self {
            code,
            config,
            dependencies,
        };
        state.check_dependencies()?;
        Ok(state)
    }

    /// Returns an error if the function has a dependency that is not in the list of versions: it would be removed.
    fn check_dependencies(&self) -> anyhow::Result<()> {
        let details = self.code.dependencies.as_deref().unwrap_or_default();
        let has = |id: &str| self.dependencies.iter().any(|it| it == id);
        let is_listed = |id: &str| {
            has(id)
                || details
                    .iter()
                    .any(|it| it.dep_id.as_deref() == Some(id) && it.id.as_deref().is_some_and(has))
        };
        let ids = self.code.depend_list.iter().flatten().map(String::as_str);
        let of_details = details
            .iter()
            .map(|it| it.id.as_deref().unwrap_or("without an ID"));
        let mut missing = ids
            .filter(|id| !is_listed(id))
            .chain(of_details.filter(|id| !has(id)));
        match missing.next() {
            None => Ok(()),
            Some(id) => bail!(
                "the function has a dependency ({id}) without an entry in `depend_version_list`, so the list cannot be sent back \
                 as it came; add the new dependency in the console instead"
            ),
        }
    }

    /// Returns `true` if nothing was changed between the two states. The order of the lists is not compared.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.code == other.code && self.config == other.config
    }

    pub(super) fn urn(&self) -> &str {
        &self.code.func_urn
    }

    pub(super) fn runtime(&self) -> &str {
        &self.code.runtime
    }

    /// Returns the IDs of the dependency versions, in order.
    pub(super) fn dependencies(&self) -> &[String] {
        &self.dependencies
    }

    /// Returns the name and the version of a dependency in the list, or its ID if the API has sent no more.
    pub(super) fn describe(&self, id: &str) -> String {
        let details = self.code.dependencies.iter().flatten();
        let found = details.into_iter().find(|it| it.id.as_deref() == Some(id));
        let name = found.and_then(|it| it.name.as_deref());
        let version = found.and_then(|it| it.version);
        match (name, version) {
            (Some(name), Some(version)) => format!("{name}, version {version} ({id})"),
            (Some(name), None) => format!("{name} ({id})"),
            _ => id.to_owned(),
        }
    }

    /// Returns the body that gives the function these dependencies, and leaves everything else as it is.
    ///
    /// # Errors
    ///
    /// Returns an error if the code cannot be sent back as it came.
    pub(super) fn update(&self, dependencies: &[String]) -> anyhow::Result<Value> {
        let is_set = |text: &Option<String>| text.as_ref().is_some_and(|it| !it.is_empty());
        if is_set(&self.config.code_encrypt_kms_key_id) {
            // ? whether the code is decrypted in the response.
            bail!("{}: it is encrypted with a KMS key", CANNOT_SEND_BACK);
        }
        let func_code = match self.code.code_type.as_str() {
            // `func_code` is optional here (D 0110); the platform reads the object again.
            "obs" if is_set(&self.code.code_url) => json!({}),
            "inline" | "zip" | "jar" => json!({ "file": self.code_file()? }),
            other => bail!(
                "{}: the code type is `{other}`, which the request does not accept",
                CANNOT_SEND_BACK
            ),
        };
        let mut body = json!({
            "code_type": self.code.code_type,
            "func_code": func_code,
            "depend_version_list": dependencies,
        });
        for (name, value) in [
            ("code_url", &self.code.code_url),
            ("code_filename", &self.code.code_filename),
        ] {
            if is_set(value) {
                body[name] = json!(value);
            }
        }
        Ok(body)
    }

    /// Returns the code in base64, after comparing it with its size and its digest.
    fn code_file(&self) -> anyhow::Result<&str> {
        let file = self.code.func_code.as_ref();
        let file = file.and_then(|it| it.file.as_deref()).unwrap_or_default();
        if file.is_empty() {
            bail!("{}: the API did not return it", CANNOT_SEND_BACK);
        }
        let code = BASE64_STANDARD
            .decode(file)
            .with_context(|| format!("{}: it is not valid base64", CANNOT_SEND_BACK))?;
        let size = u64::try_from(code.len()).unwrap_or(u64::MAX);
        if self.code.code_size.is_some_and(|expected| expected != size) {
            bail!(
                "{}: the API returned {size} bytes of {}",
                CANNOT_SEND_BACK,
                self.code.code_size.unwrap_or_default()
            );
        }
        // The digest is the SHA-512 of the code (D 0107, and its example).
        let actual = digest(&SHA512, &code);
        let hex: String = actual
            .as_ref()
            .iter()
            .map(|it| format!("{it:02x}"))
            .collect();
        match &self.code.digest {
            Some(expected) if expected.eq_ignore_ascii_case(&hex) => Ok(file),
            Some(_) => bail!("{}: it does not match its digest", CANNOT_SEND_BACK),
            None => bail!(
                "{}: the API returned no digest to compare it with",
                CANNOT_SEND_BACK
            ),
        }
    }

    /// Returns a warning if the request makes the platform read the function's code again.
    pub(super) fn warning(&self) -> Option<String> {
        (self.code.code_type == "obs").then(|| {
            format!(
                "the platform reads the function's code again from {}; if that object was replaced since the last deployment of \
                 the function, its code changes too",
                self.code.code_url.as_deref().unwrap_or_default()
            )
        })
    }

    /// Returns an error if the function is not as it was before, except for these dependencies.
    pub(super) fn check_after(&self, before: &Self, dependencies: &[String]) -> anyhow::Result<()> {
        if sorted(&self.dependencies) != sorted(dependencies) {
            bail!(
                "the function's dependencies are not those that were sent: {}",
                self.dependencies.join(", ")
            );
        }
        let (new, old) = (&self.code, &before.code);
        let changed = [
            ("code (its digest)", new.digest != old.digest),
            ("code type", new.code_type != old.code_type),
            ("runtime", new.runtime != old.runtime),
            (
                "file name of the code",
                new.code_filename != old.code_filename,
            ),
            ("URL of the code", new.code_url != old.code_url),
        ];
        match changed.iter().find(|(_, changed)| *changed) {
            None => Ok(()),
            Some((what, _)) => bail!(
                "the dependencies were changed, but the {what} of the function is different now; look at the function in the \
                 console"
            ),
        }
    }
}

/// Reads a response as this type. An error message quotes at most the start of the value that it is about.
fn parse<T: for<'a> Deserialize<'a>>(response: Value, what: &str) -> anyhow::Result<T> {
    serde_json::from_value(response).map_err(|error| {
        let reason = excerpt(&one_line(&error.to_string()));
        anyhow!("cannot read the function's {what}: unexpected response: {reason}")
    })
}

fn sorted(list: &[String]) -> Vec<&String> {
    let mut sorted: Vec<_> = list.iter().collect();
    sorted.sort();
    sorted
}

const CANNOT_SEND_BACK: &str = "the dependencies of a function can only be changed together with its code (page 0110), but the code of \
                                this function cannot be sent back as it came; leave out --function to upload only, then add the \
                                dependency in the console (Code > Dependencies > Add)";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::FunctionState;

    /// The code of the example on the page 0107.
    const FILE: &str = "UEsDBBQ=";

    fn code() -> Value {
        let digest = ring::digest::digest(&ring::digest::SHA512, b"PK\x03\x04\x14");
        let hex: String = digest
            .as_ref()
            .iter()
            .map(|it| format!("{it:02X}"))
            .collect();
        json!({
            "func_urn": "urn:fss:r:p:function:default:f:latest",
            "runtime": "Python3.9",
            "code_type": "zip",
            "code_filename": "index.zip",
            "code_size": 5,
            "digest": hex,
            "last_modified": "2019-09-25T19:02:17+08:00",
            "func_code": { "file": FILE, "link": "https://example.com/x?signature=1" },
            "depend_version_list": ["v1", "v2"],
            "depend_list": ["d1", "v2"],
            "dependencies": [
                { "id": "v1", "dep_id": "d1", "name": "numpy", "version": 3 },
                { "id": "v2", "name": "other" },
            ],
        })
    }

    fn state(code: Value) -> anyhow::Result<FunctionState> {
        FunctionState::from_responses(code, json!({ "user_data": "{\"SECRET\":\"x\"}" }))
    }

    #[test]
    fn everything_but_the_dependencies_is_sent_back_as_it_came() {
        let before = state(code()).unwrap();
        assert_eq!(before.describe("v1"), "numpy, version 3 (v1)");
        assert_eq!(before.describe("v9"), "v9");
        let dependencies = ["v1", "v3"].map(str::to_owned);
        assert_eq!(
            before.update(&dependencies).unwrap(),
            json!({
                "code_type": "zip",
                "code_filename": "index.zip",
                "func_code": { "file": FILE },
                "depend_version_list": ["v1", "v3"],
            })
        );

        let mut after = code();
        after["depend_list"] = json!(null);
        after["dependencies"] = json!(null);
        after["depend_version_list"] = json!(["v3", "v1"]);
        let same = state(after.clone()).unwrap();
        same.check_after(&before, &dependencies).unwrap();
        assert!(!same.is_same_as(&before));
        after["digest"] = json!("other");
        let error = state(after).unwrap().check_after(&before, &dependencies);
        assert!(error.unwrap_err().to_string().contains("code (its digest)"));
    }

    #[test]
    fn the_order_of_the_lists_is_not_a_change() {
        let before = state(code()).unwrap();
        let mut other = code();
        for field in ["depend_version_list", "depend_list", "dependencies"] {
            other[field].as_array_mut().unwrap().reverse();
        }
        let other = state(other).unwrap();
        assert_eq!(other.dependencies(), ["v2", "v1"]);
        assert!(other.is_same_as(&before));
    }

    #[test]
    fn code_in_object_storage_is_sent_as_its_url() {
        let mut code = code();
        code["code_type"] = json!("obs");
        code["code_url"] = json!("https://bucket.obs.r.example.com/f.zip");
        code["func_code"] = json!({});
        let state = state(code).unwrap();
        let body = state.update(&[]).unwrap();
        assert_eq!(body["func_code"], json!({}));
        assert_eq!(
            body["code_url"],
            json!("https://bucket.obs.r.example.com/f.zip")
        );
        assert!(state.warning().unwrap().contains("/f.zip"));
    }

    #[test]
    fn a_field_that_cannot_be_sent_back_is_an_error() {
        for (field, value, reason) in [
            ("func_code", json!(null), "the API did not return it"),
            (
                "func_code",
                json!({"file": ""}),
                "the API did not return it",
            ),
            ("func_code", json!({"file": "?"}), "not valid base64"),
            ("code_size", json!(6), "5 bytes of 6"),
            ("digest", json!("00"), "does not match its digest"),
            ("digest", json!(null), "no digest"),
            ("code_type", json!("Custom-Image-Swr"), "`Custom-Image-Swr`"),
            ("code_type", json!("obs"), "`obs`"),
        ] {
            let mut code = code();
            code[field] = value;
            let error = state(code).unwrap().update(&[]).unwrap_err();
            assert!(format!("{error:#}").contains(reason), "{error:#}");
        }
        let encrypted = json!({ "code_encrypt_kms_key_id": "k" });
        let state = FunctionState::from_responses(code(), encrypted).unwrap();
        assert!(state.update(&[]).unwrap_err().to_string().contains("KMS"));
    }

    #[test]
    fn a_dependency_outside_of_the_list_is_an_error() {
        for (field, value) in [
            ("depend_list", json!(["d1", "d9"])),
            ("depend_version_list", json!(["v1"])),
            ("dependencies", json!([{ "name": "x" }])),
        ] {
            let mut code = code();
            code[field] = value;
            assert!(state(code).is_err(), "{field}");
        }
        let other = json!({ "depend_version_list": ["v1"] });
        assert!(FunctionState::from_responses(code(), other).is_err());
    }
}
