//! Prints the requests of a deployment without sending them, and without secrets.

use serde_json::{Value, json};

use super::api::{self, NewVersion};
use super::client::ApiRequest;
use super::endpoint::Endpoint;
use super::function_urn::FunctionUrn;

/// Returns the requests in order, each with what is unknown before the ones before it are sent.
pub(super) fn text(
    endpoint: &Endpoint,
    project_id: &str,
    function: Option<&FunctionUrn>,
    new: &NewVersion,
) -> String {
    let mut steps = Vec::new();
    if let Some(function) = function {
        steps.push((
            "Reads the function's code, its runtime and its dependencies.",
            api::function_code(function),
        ));
        steps.push((
            "Reads whether the code is encrypted.",
            api::function_config(function),
        ));
    }
    steps.push((
        "Looks for the dependency.",
        api::page_of(&api::list_dependencies(project_id, &new.name), 0),
    ));
    steps.push((
        "Reads its versions, if it exists. One with the same ZIP is used again, and the others are replaced.",
        api::page_of(
            &api::list_versions(project_id, "<the ID of the dependency>"),
            0,
        ),
    ));
    steps.push((
        "Asks, unless --yes is given. Then uploads a version, unless this ZIP was uploaded before.",
        api::create_version(project_id, new),
    ));
    if let Some(function) = function {
        let body = json!({
            "code_type": "<as it was read>",
            "code_url": "<as it was read, if it is set>",
            "code_filename": "<as it was read, if it is set>",
            "func_code": { "file": "<as it was read>" },
            "depend_version_list": ["<as it was read>", "<the ID of the version>"],
        });
        steps.push((
            "Reads the function again. If it has not changed, sets its dependencies, then reads it again to compare.",
            api::update_code(function, body),
        ));
    }
    let mut text = String::new();
    for (index, (why, request)) in steps.iter().enumerate() {
        let number = index + 1;
        text.push_str(&format!(
            "# {number}. {why}\n{}\n",
            show(endpoint, project_id, request)
        ));
    }
    text.push_str("# Nothing was sent, so it is unknown what the function has, and whether the access key is valid.\n");
    text
}

/// Returns the request as it would be sent, with names for what identifies the sender.
fn show(endpoint: &Endpoint, project_id: &str, request: &ApiRequest) -> String {
    let mut text = format!(
        "{} {}\nHost: {}\n",
        request.method,
        endpoint.url(&request.path, &request.query),
        endpoint.host()
    );
    for (name, value) in request.headers(project_id) {
        text.push_str(&format!("{name}: {value}\n"));
    }
    text.push_str(
        "X-Sdk-Date: <time>\nX-Security-Token: <token, if the key is temporary>\nAuthorization: SDK-HMAC-SHA256 Access=<access key>, SignedHeaders=<names>, Signature=<signature>\n",
    );
    if let Some(body) = &request.body {
        let body = serde_json::to_string_pretty(&abbreviated(body)).unwrap_or_default();
        text.push_str(&format!("\n{body}\n"));
    }
    text
}

/// Returns the body without the ZIP, which is long and may contain settings.
fn abbreviated(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(file) = body.get_mut("depend_file") {
        let length = file.as_str().unwrap_or_default().len();
        *file = json!(format!("<the ZIP: {length} characters of base64>"));
    }
    body
}
