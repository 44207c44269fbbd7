//! The operations of the management API that a deployment needs.

use serde::Deserialize;
use serde_json::{Value, json};

use super::api_error::ApiError;
use super::client::{ApiRequest, Client};
use super::function_urn::FunctionUrn;

/// How many entries of a list are requested at once (D 0153: at most 400).
const PAGE: u64 = 100;

/// The owner of public dependencies, which several accounts see (D 0153).
const PUBLIC: &str = "public";

/// A version of a dependency, as the API describes it. Fields that nobody needs are left out.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct DependencyVersion {
    pub(super) id: String,
    /// A number that the API counts up.
    #[serde(default)]
    pub(super) version: Option<i64>,
    #[serde(default)]
    pub(super) runtime: Option<String>,
    #[serde(default)]
    pub(super) description: Option<String>,
}

impl DependencyVersion {
    /// Returns `version 3`, or the ID if the API has sent no number.
    pub(super) fn label(&self) -> String {
        match self.version {
            Some(version) => format!("version {version}"),
            None => self.id.clone(),
        }
    }
}

/// What is uploaded as a new version of a dependency.
#[derive(Clone, Debug)]
pub(super) struct NewVersion {
    pub(super) name: String,
    pub(super) runtime: String,
    pub(super) description: String,
    pub(super) contents: Contents,
}

#[derive(Clone, Debug)]
pub(super) enum Contents {
    /// A ZIP in base64.
    Base64(String),
    /// The URL of an object in OBS.
    Link(String),
}

/// Returns the request that creates a version, and the dependency if it is new (D 0152).
pub(super) fn create_version(project_id: &str, new: &NewVersion) -> ApiRequest {
    let mut body = json!({
        "name": new.name,
        "runtime": new.runtime,
        "description": new.description,
    });
    match &new.contents {
        Contents::Base64(file) => {
            body["depend_type"] = json!("zip");
            body["depend_file"] = json!(file);
        }
        Contents::Link(link) => {
            body["depend_type"] = json!("obs");
            body["depend_link"] = json!(link);
        }
    }
    let path = format!("/v2/{project_id}/fgs/dependencies/version");
    ApiRequest::with_body("POST", path, body)
}

/// Returns the request for the dependencies with this name (D: ListDependencies, page 0127).
pub(super) fn list_dependencies(project_id: &str, name: &str) -> ApiRequest {
    ApiRequest::get(format!("/v2/{project_id}/fgs/dependencies")).with_query(format!("name={name}"))
}

/// Returns the request for the versions of a dependency (D 0153).
pub(super) fn list_versions(project_id: &str, dependency: &str) -> ApiRequest {
    ApiRequest::get(format!(
        "/v2/{project_id}/fgs/dependencies/{dependency}/version"
    ))
}

/// Returns the request for the code of the function (D 0107).
pub(super) fn function_code(function: &FunctionUrn) -> ApiRequest {
    ApiRequest::get(format!("{}/code", function.path()))
}

/// Returns the request for the configuration of the function (D 0106).
pub(super) fn function_config(function: &FunctionUrn) -> ApiRequest {
    ApiRequest::get(format!("{}/config", function.path()))
}

/// Returns the request that changes the dependencies of the function, which are part of its code (D 0110).
pub(super) fn update_code(function: &FunctionUrn, body: Value) -> ApiRequest {
    ApiRequest::with_body("PUT", format!("{}/code", function.path()), body)
}

/// Returns the request for the page of a list that starts after this marker.
pub(super) fn page_of(list: &ApiRequest, marker: u64) -> ApiRequest {
    let separator = if list.query.is_empty() { "" } else { "&" };
    let query = format!("{}{separator}marker={marker}&maxitems={PAGE}", list.query);
    list.clone().with_query(query)
}

impl Client {
    /// Returns all versions of the private dependency with this name; none if it does not exist.
    pub(super) fn versions(&self, name: &str) -> Result<Vec<DependencyVersion>, ApiError> {
        #[derive(Deserialize)]
        struct Dependency {
            id: String,
            name: String,
            #[serde(default)]
            owner: Option<String>,
        }
        let dependencies: Vec<Dependency> =
            self.all_pages(&list_dependencies(self.project_id(), name))?;
        let mut versions = Vec::new();
        // Whether the API compares the whole name is not documented (?).
        let is_own = |it: &&Dependency| it.name == name && it.owner.as_deref() != Some(PUBLIC);
        for dependency in dependencies.iter().filter(is_own) {
            let request = list_versions(self.project_id(), &dependency.id);
            versions.extend(self.all_pages::<DependencyVersion>(&request)?);
        }
        Ok(versions)
    }

    /// Returns the elements of `dependencies` in all pages of a list.
    fn all_pages<T: for<'a> Deserialize<'a>>(
        &self,
        request: &ApiRequest,
    ) -> Result<Vec<T>, ApiError> {
        // An empty list may be `null`.
        #[derive(Deserialize)]
        struct Page<T> {
            #[serde(default = "Option::default")]
            dependencies: Option<Vec<T>>,
            #[serde(default)]
            next_marker: Option<u64>,
            #[serde(default)]
            count: Option<u64>,
        }
        let (mut all, mut marker) = (Vec::new(), 0);
        loop {
            let page = page_of(request, marker);
            let response = self.send(&page)?;
            let Page {
                dependencies,
                next_marker,
                count,
            } = self.parse(&page, response)?;
            let dependencies = dependencies.unwrap_or_default();
            let length = dependencies.len() as u64;
            all.extend(dependencies);
            // A full page may not be the last one, whatever `count` is: a version that is missed would be attached twice.
            let is_last =
                length == 0 || length < PAGE && count.is_none_or(|count| all.len() as u64 >= count);
            match next_marker {
                // The marker must advance, or this would never end.
                Some(next) if !is_last && next > marker => marker = next,
                _ => return Ok(all),
            }
        }
    }

    /// Reads a response as this type.
    pub(super) fn parse<T: for<'a> Deserialize<'a>>(
        &self,
        request: &ApiRequest,
        response: Value,
    ) -> Result<T, ApiError> {
        serde_json::from_value(response).map_err(|error| ApiError::unexpected(request, &error))
    }
}
