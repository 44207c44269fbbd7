//! A server with the operations of the management API that a deployment needs, written from the pages 0106, 0107, 0110, 0127, 0152 and
//! 0153 of the *FunctionGraph API Reference*. It verifies every signature.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fg_signature::{Credentials, Request, sign};
use serde_json::{Value, json};

pub(super) const ACCESS_KEY: &str = "AKTESTTESTTEST";
pub(super) const SECRET_KEY: &str = "sk-which-nobody-may-see";
pub(super) const SECURITY_TOKEN: &str = "token-which-nobody-may-see";
pub(super) const PROJECT: &str = "46b6f338fc3445b8846c71dfb1fb0000";
pub(super) const URN: &str =
    "urn:fss:cn-north-4:46b6f338fc3445b8846c71dfb1fb0000:function:default:orders";

/// The first bytes of the code in the example of page 0107.
const CODE: &str = "UEsDBBQAAAAIAAhYOU8ssPQsgwAAALYAAAAIAAAAaW5kZXgucHk=";

/// What the API stores.
pub(super) struct State {
    /// The response to `GET …/code`, and to `GET …/config` where a field is in both.
    pub(super) code: Value,
    /// Versions as in the response of page 0153.
    pub(super) versions: Vec<Value>,
    /// The requests: method and path.
    pub(super) requests: Vec<String>,
    /// The bodies of the requests that change something.
    pub(super) bodies: Vec<Value>,
    /// What happens to the next request with this method and this end of its path.
    pub(super) fault: Option<(&'static str, &'static str, Fault)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// Respond with this status and body.
    Reject(u16, &'static str),
    /// Execute the request, then close the connection without a response.
    Hide,
    /// Someone else changes the function before the request is executed.
    ChangeFunction,
}

pub(super) struct FakeApi {
    pub(super) endpoint: String,
    state: Arc<Mutex<State>>,
}

impl FakeApi {
    /// Starts the server with a function that has these dependencies.
    pub(super) fn start(dependencies: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let bytes = BASE64_STANDARD.decode(CODE).unwrap();
        let digest = ring::digest::digest(&ring::digest::SHA512, &bytes);
        let digest: String = digest
            .as_ref()
            .iter()
            .map(|it| format!("{it:02x}"))
            .collect();
        let details = dependencies.iter().map(|id| {
            json!({"id": id, "dep_id": format!("dep-of-{id}"), "name": format!("name-of-{id}"), "version": 1})
        });
        let code = json!({
            "func_urn": format!("{URN}:latest"),
            "func_name": "orders",
            "domain_id": "14ee2e3501124efcbca7998baa240000",
            "runtime": "Python3.9",
            "code_type": "inline",
            "code_filename": "index.zip",
            "code_size": bytes.len(),
            "digest": digest,
            "last_modified": "2019-09-25T19:02:17+08:00",
            "func_code": { "file": CODE, "link": "https://functionstorage.example.com/index.zip" },
            "depend_version_list": dependencies,
            "dependencies": details.collect::<Vec<_>>(),
            "strategy_config": { "concurrency": -1 },
        });
        let state = Arc::new(Mutex::new(State {
            code,
            versions: Vec::new(),
            requests: Vec::new(),
            bodies: Vec::new(),
            fault: None,
        }));
        let of_server = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&of_server);
                std::thread::spawn(move || serve(stream.unwrap(), &state));
            }
        });
        Self { endpoint, state }
    }

    pub(super) fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Returns the IDs of the function's dependencies.
    pub(super) fn dependencies(&self) -> Vec<String> {
        serde_json::from_value(self.state().code["depend_version_list"].clone()).unwrap()
    }
}

struct Received {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Received {
    fn read(stream: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let mut parts = line.split_whitespace();
        let (method, target) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let mut received = Self {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: Vec::new(),
        };
        let length = received.header("content-length").unwrap_or("0");
        received.body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut received.body).unwrap();
        Some(received)
    }

    fn header(&self, wanted: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.as_str())
    }

    /// Returns whether the signature is the one of the request that has arrived.
    fn is_signed(&self) -> bool {
        let Some((signed, date)) = self
            .header("authorization")
            .and_then(|it| it.split_once("SignedHeaders=")?.1.split_once(','))
            .map(|(signed, _)| signed)
            .zip(self.header("x-sdk-date"))
        else {
            return false;
        };
        let names: Vec<_> = signed.split(';').collect();
        if !["content-type", "host", "x-project-id", "x-sdk-date"]
            .iter()
            .all(|name| names.contains(name))
        {
            return false;
        }
        let headers: Vec<_> = names
            .iter()
            .filter_map(|name| Some((*name, self.header(name)?)))
            .collect();
        let request = Request {
            method: &self.method,
            host: self.header("host").unwrap(),
            path: &self.path,
            query: &self.query,
            headers: &headers,
            body: &self.body,
        };
        let mut credentials = Credentials::new(ACCESS_KEY, SECRET_KEY);
        if let Some(token) = self.header("x-security-token") {
            assert_eq!(token, SECURITY_TOKEN);
            credentials = credentials.with_security_token(token);
        }
        // The date has seconds, and the request is not older than a minute.
        let now = SystemTime::now();
        (0..60).any(|age| {
            let time = now - Duration::from_secs(age);
            let expected = sign(&request, &credentials, time);
            let has = |name: &str| {
                let (_, value) = expected.iter().find(|it| it.0 == name).unwrap();
                value.clone()
            };
            has("X-Sdk-Date") == date
                && Some(has("Authorization").as_str()) == self.header("authorization")
        })
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) {
    let mut output = stream.try_clone().unwrap();
    let mut input = BufReader::new(stream);
    while let Some(request) = Received::read(&mut input) {
        let mut state = state.lock().unwrap();
        state
            .requests
            .push(format!("{} {}", request.method, request.path));
        let fault = state
            .fault
            .take_if(|(method, end, _)| *method == request.method && request.path.ends_with(*end));
        let response = match fault {
            Some((_, _, Fault::Reject(status, body))) => (status, body.to_owned()),
            Some((_, _, Fault::Hide)) => {
                respond(&request, &mut state);
                return;
            }
            other => {
                if other.is_some() {
                    state.code["last_modified"] = json!("2026-01-01T00:00:00+08:00");
                }
                respond(&request, &mut state)
            }
        };
        let (status, body) = response;
        write!(
            output,
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nx-request-id: 2fb2bbc\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
    }
}

fn respond(request: &Received, state: &mut State) -> (u16, String) {
    if !request.is_signed() {
        let message = format!(
            "Incorrect IAM authentication information: verify aksk signature fail, x-security-token:{}",
            request.header("x-security-token").unwrap_or_default()
        );
        return (
            401,
            json!({"error_msg": message, "error_code": "APIGW.0301", "request_id": "2fb2bbc"})
                .to_string(),
        );
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let project = format!("/v2/{PROJECT}/fgs");
    let path = request.path.strip_prefix(&project).unwrap_or_default();
    let function = format!("/functions/{URN}:latest");
    let response = match (request.method.as_str(), path) {
        ("GET", "/dependencies") => list_dependencies(request, state),
        ("GET", "/dependencies/dep-1/version") => {
            json!({"dependencies": state.versions, "next_marker": state.versions.len(), "count": state.versions.len()})
        }
        ("POST", "/dependencies/version") => {
            state.bodies.push(body.clone());
            create_version(&body, state)
        }
        ("GET", path) if path == format!("{function}/code") => state.code.clone(),
        ("GET", path) if path == format!("{function}/config") => json!({
            "func_urn": state.code["func_urn"],
            "handler": "index.handler",
            "user_data": "{\"PASSWORD\":\"function-password\"}",
            "depend_version_list": state.code["depend_version_list"],
        }),
        ("PUT", path) if path == format!("{function}/code") => {
            state.bodies.push(body.clone());
            return update_code(&body, state);
        }
        _ => {
            let error = json!({"error_code": "FSS.1051", "error_msg": "Not found the function"});
            return (404, error.to_string());
        }
    };
    (200, response.to_string())
}

/// Page 0127. Several dependencies contain the name, on two pages.
fn list_dependencies(request: &Received, state: &State) -> Value {
    assert!(request.query.starts_with("name="), "{}", request.query);
    let own = json!({"id": "dep-1", "name": "watch", "owner": "14ee", "runtime": "Python3.9"});
    let other = json!({"id": "dep-2", "name": "watch-2", "owner": "14ee"});
    let public = json!({"id": "dep-3", "name": "watch", "owner": "public"});
    match request.query.contains("marker=0") {
        true => json!({"dependencies": [other, public], "next_marker": 2, "count": 3}),
        false if state.versions.is_empty() => {
            json!({"dependencies": null, "next_marker": 3, "count": 3})
        }
        false => json!({"dependencies": [own], "next_marker": 3, "count": 3}),
    }
}

/// Page 0152.
fn create_version(body: &Value, state: &mut State) -> Value {
    let number = state.versions.len();
    let version = json!({
        "id": format!("version-{number}"),
        "dep_id": "dep-1",
        "name": body["name"],
        "runtime": body["runtime"],
        "description": body["description"],
        "owner": "14ee",
        "version": number,
    });
    state.versions.push(version.clone());
    version
}

/// Page 0110. An empty `func_code` would give the function default code.
fn update_code(body: &Value, state: &mut State) -> (u16, String) {
    for field in ["code_type", "func_code"] {
        if body[field].is_null() {
            return (
                400,
                json!({"error_code": "FSS.0400", "error_msg": format!("{field} is missing")})
                    .to_string(),
            );
        }
    }
    if body["func_code"]["file"] != json!(CODE) {
        state.code["digest"] = json!("of default code");
    }
    for field in ["code_type", "code_filename", "depend_version_list"] {
        state.code[field] = body[field].clone();
    }
    state.code["dependencies"] = json!(null);
    state.code["last_modified"] = json!("2026-01-02T00:00:00+08:00");
    (200, state.code.to_string())
}
