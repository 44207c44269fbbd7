//! Tests of `cargo fg deploy`, with a fake of the API.
#![allow(clippy::unwrap_used, reason = "test helpers may panic like tests")]

mod fake_api;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::json;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use self::fake_api::{ACCESS_KEY, FakeApi, Fault, PROJECT, SECRET_KEY, SECURITY_TOKEN, URN};

/// A ZIP with a start script.
struct Zip {
    _directory: TempDir,
    path: PathBuf,
}

impl Zip {
    fn new(script: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("watch.zip");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        let options = SimpleFileOptions::default().unix_permissions(0o755);
        zip.start_file("extension/extensionWatch.sh", options)
            .unwrap();
        zip.write_all(format!("#!/bin/sh\n{script}\n").as_bytes())
            .unwrap();
        zip.finish().unwrap();
        Self {
            _directory: directory,
            path,
        }
    }
}

fn command(zip: &Zip, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-fg"));
    command
        .args(["fg", "deploy", "--zip"])
        .arg(&zip.path)
        .args(arguments)
        .stdin(Stdio::null())
        .env("HUAWEICLOUD_SDK_AK", ACCESS_KEY)
        .env("HUAWEICLOUD_SDK_SK", SECRET_KEY)
        .env_remove("HW_REGION_NAME")
        .env("NO_PROXY", "127.0.0.1");
    command
}

/// Runs the command against the API, and returns its success and what it printed. Panics if that contains a secret.
fn run(api: &FakeApi, zip: &Zip, arguments: &[&str]) -> (bool, String) {
    let mut all = vec!["--endpoint", &api.endpoint];
    all.extend(arguments);
    printed(&command(zip, &all).output().unwrap())
}

fn printed(output: &Output) -> (bool, String) {
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    for secret in [ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN, "function-password"] {
        assert!(!text.contains(secret), "{text}");
    }
    (output.status.success(), text)
}

#[track_caller]
fn assert_contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

#[test]
fn a_version_is_uploaded_and_attached_once_and_then_replaced() {
    let api = FakeApi::start(&["numpy"]);
    let first = Zip::new("exec true");
    let arguments = ["--function", URN, "--yes", "--description", "the first"];
    let before = api.state().code.clone();

    let (success, text) = run(&api, &first, &arguments);
    assert!(success, "{text}");
    assert_contains(
        &text,
        &[
            "    Function urn:fss:cn-north-4:46b6f338fc3445b8846c71dfb1fb0000:function:default:orders:latest, Python3.9\n",
            "Dependencies = name-of-numpy, version 1 (numpy)\n             + watch, the new version\n",
            "    Uploaded watch, version 0 (version-0)\n",
            "    Attached watch, version 0 to orders\n",
        ],
    );
    assert_eq!(api.dependencies(), ["numpy", "version-0"]);
    let bodies = std::mem::take(&mut api.state().bodies);
    assert_eq!(bodies[0]["depend_type"], "zip");
    assert_eq!(bodies[0]["runtime"], "Python3.9");
    let description = bodies[0]["description"].as_str().unwrap();
    assert!(
        description.starts_with("the first (sha256:"),
        "{description}"
    );
    assert_eq!(
        bodies[1],
        json!({
            "code_type": before["code_type"],
            "code_filename": before["code_filename"],
            "func_code": { "file": before["func_code"]["file"] },
            "depend_version_list": ["numpy", "version-0"],
        })
    );

    // The same ZIP again changes nothing.
    let (success, text) = run(&api, &first, &arguments);
    assert!(success, "{text}");
    assert_contains(
        &text,
        &["Nothing to do this version is one of the function's dependencies\n"],
    );
    assert_eq!(api.state().bodies, Vec::<serde_json::Value>::new());

    // Another ZIP replaces it. By name, with a temporary key.
    let second = Zip::new("exec false");
    let output = command(
        &second,
        &["--endpoint", &api.endpoint, "--function", "orders", "-y"],
    )
    .args(["--region", "cn-north-4"])
    .env("HW_PROJECT_ID", PROJECT)
    .env("HUAWEICLOUD_SDK_SECURITY_TOKEN", SECURITY_TOKEN)
    .output()
    .unwrap();
    let (success, text) = printed(&output);
    assert!(success, "{text}");
    assert_contains(
        &text,
        &["             - watch, version 0 (version-0)\n             + watch, the new version\n"],
    );
    assert_eq!(api.dependencies(), ["numpy", "version-1"]);
}

#[test]
fn nothing_is_changed_without_consent_or_if_a_check_fails() {
    let api = FakeApi::start(&[]);
    let zip = Zip::new("exec true");
    let function = ["--function", URN];
    let (success, text) = run(&api, &zip, &function);
    assert!(!success, "{text}");
    assert_contains(&text, &["+ watch, the new version", "with --yes"]);

    let (success, text) = run(
        &api,
        &zip,
        &["--function", URN, "--yes", "--runtime", "http"],
    );
    assert!(!success, "{text}");
    assert_contains(&text, &["the runtime of the function is Python3.9"]);

    api.state().code["func_code"]["file"] = json!("");
    let (success, text) = run(&api, &zip, &["--function", URN, "--yes"]);
    assert!(!success, "{text}");
    assert_contains(&text, &["cannot be sent back as it came"]);
    assert_eq!(api.state().bodies, Vec::<serde_json::Value>::new());

    let other = format!("{URN}-2");
    let (success, text) = run(&api, &zip, &["--function", &other, "--yes"]);
    assert!(!success, "{text}");
    assert_contains(
        &text,
        &[
            "cannot find the function",
            "status 404, FSS.1051: Not found the function (request ID 2fb2bbc)",
        ],
    );
    let output = command(&zip, &["--endpoint", &api.endpoint, "--function", URN])
        .env("HUAWEICLOUD_SDK_SK", "wrong")
        .env("HUAWEICLOUD_SDK_SECURITY_TOKEN", SECURITY_TOKEN)
        .output()
        .unwrap();
    let (_, text) = printed(&output);
    assert_contains(
        &text,
        &[
            "status 401, APIGW.0301: Incorrect IAM authentication information",
            "x-security-token:<token>",
        ],
    );
    assert_eq!(api.state().versions, Vec::<serde_json::Value>::new());
}

#[test]
fn a_deployment_that_failed_goes_on_where_it_stopped() {
    let zip = Zip::new("exec true");
    let arguments = ["--function", URN, "--yes"];
    // The upload is sent once, although it failed. What the API says is printed.
    let api = FakeApi::start(&[]);
    let error = r#"{"error_code":"FSS.0500","error_msg":"Internal server error."}"#;
    api.state().fault = Some(("POST", "/version", Fault::Reject(500, error)));
    let (success, text) = run(&api, &zip, &arguments);
    assert!(!success, "{text}");
    assert_contains(
        &text,
        &[
            "it is unknown whether the version was uploaded",
            "status 500, FSS.0500: Internal server error. (request ID 2fb2bbc)",
        ],
    );
    let posts = |api: &FakeApi| {
        let state = api.state();
        state
            .requests
            .iter()
            .filter(|it| it.starts_with("POST"))
            .count()
    };
    assert_eq!(posts(&api), 1);

    // The function cannot be changed: the uploaded version is found by the next run.
    api.state().fault = Some(("PUT", "/code", Fault::Reject(403, "")));
    let (success, text) = run(&api, &zip, &arguments);
    assert!(!success, "{text}");
    assert_contains(
        &text,
        &[
            "Uploaded watch, version 0",
            "is not attached to the function; run the same command again",
        ],
    );
    // Reading is repeated, and so is what was rejected because of too many requests.
    api.state().fault = Some(("PUT", "/code", Fault::Reject(429, "")));
    let (success, text) = run(&api, &zip, &arguments);
    assert!(success, "{text}");
    assert_contains(&text, &["was uploaded before with the same ZIP"]);
    assert_eq!(posts(&api), 2);
    assert_eq!(api.dependencies(), ["version-0"]);
}

#[test]
fn changes_in_the_meantime_are_noticed() {
    let zip = Zip::new("exec true");
    let arguments = ["--function", URN, "--yes"];
    let api = FakeApi::start(&[]);
    api.state().fault = Some(("POST", "/version", Fault::ChangeFunction));
    let (success, text) = run(&api, &zip, &arguments);
    assert!(!success, "{text}");
    assert_contains(
        &text,
        &["the function was changed in the meantime, so watch, version 0 was not attached"],
    );
    assert_eq!(api.dependencies(), Vec::<String>::new());

    // The response is lost, but the change was made.
    api.state().fault = Some(("PUT", "/code", Fault::Hide));
    let (success, text) = run(&api, &zip, &arguments);
    assert!(success, "{text}");
    assert_contains(
        &text,
        &["Warning PUT ", "Attached watch, version 0 to orders"],
    );
}

#[test]
fn without_a_function_the_version_is_only_uploaded() {
    let api = FakeApi::start(&[]);
    let zip = Zip::new("exec true");
    let arguments = [
        "--region",
        "r",
        "--project-id",
        PROJECT,
        "--runtime",
        "http",
        "--yes",
    ];
    let (success, text) = run(&api, &zip, &arguments);
    assert!(success, "{text}");
    assert_contains(
        &text,
        &["Uploaded watch, version 0", "Code > Dependencies > Add"],
    );
    let (_, text) = run(&api, &zip, &arguments);
    assert_contains(&text, &["Nothing to do watch, version 0 has the same ZIP"]);

    let link = "https://bucket.obs.r.myhuaweicloud.com/big.zip";
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-fg"))
        .args(["fg", "deploy", "--link", link, "--name", "watch"])
        .args(["--endpoint", &api.endpoint])
        .args(arguments)
        .env("HW_ACCESS_KEY", ACCESS_KEY)
        .env("HW_SECRET_KEY", SECRET_KEY)
        .output()
        .unwrap();
    let (success, text) = printed(&output);
    assert!(success, "{text}");
    let state = api.state();
    assert_eq!(state.bodies[1]["depend_type"], "obs");
    assert_eq!(state.bodies[1]["depend_link"], link);
}

#[test]
fn dry_run_and_terraform_send_nothing() {
    let api = FakeApi::start(&[]);
    let zip = Zip::new("exec true");
    let output = command(
        &zip,
        &["--endpoint", &api.endpoint, "--function", URN, "--dry-run"],
    )
    .env_remove("HUAWEICLOUD_SDK_AK")
    .env_remove("HUAWEICLOUD_SDK_SK")
    .output()
    .unwrap();
    let (success, text) = printed(&output);
    assert!(success, "{text}");
    assert_contains(
        &text,
        &[
            "# 6. ",
            &format!(
                "GET {}/v2/{PROJECT}/fgs/functions/{URN}:latest/code\n",
                api.endpoint
            ),
            "\"depend_file\": \"<the ZIP: ",
            "Signature=<signature>",
            "# Nothing was sent",
        ],
    );
    let (success, text) = printed(
        &command(&zip, &["--terraform", "--region", "r", "--runtime", "http"])
            .output()
            .unwrap(),
    );
    assert!(success, "{text}");
    assert_contains(
        &text,
        &["resource \"huaweicloud_fgs_dependency_version\" \"watch\" {"],
    );
    assert_eq!(api.state().requests, Vec::<String>::new());
}

#[test]
fn mistakes_are_reported_before_anything_is_sent() {
    let zip = Zip::new("exec true");
    let cases: &[(&[&str], &str)] = &[
        (&[], "the project is unknown"),
        (&["--project-id", "p"], "the region is unknown"),
        (&["--function", "orders"], "needs --region and --project-id"),
        (&["--function", "a/b"], "is not a function"),
        (&["--region", "r", "--project-id", "p"], "which function?"),
        (
            &["--region", "r/x", "--project-id", "p"],
            "`r/x` in --region is invalid",
        ),
        (
            &["--function", URN, "--region", "other"],
            "leave --region out",
        ),
        (
            &["--endpoint", "http://example.com"],
            "must be an https:// URL",
        ),
        (&["--name", "1"], "starts with a letter"),
        (&["--terraform"], "give it with --runtime"),
        (&["--dry-run", "--yes"], "cannot be used with"),
    ];
    for (arguments, message) in cases {
        let (success, text) = printed(&command(&zip, arguments).output().unwrap());
        assert!(!success, "{text}");
        assert_contains(&text, &[message]);
    }
    std::fs::write(&zip.path, "not a ZIP").unwrap();
    let output = command(&zip, &["--function", URN]).output().unwrap();
    assert_contains(&printed(&output).1, &["watch.zip"]);
    let output = command(&zip, &["--function", URN])
        .env_remove("HUAWEICLOUD_SDK_SK")
        .output()
        .unwrap();
    assert_contains(
        &printed(&output).1,
        &["HUAWEICLOUD_SDK_AK is set, but HUAWEICLOUD_SDK_SK is not"],
    );
}
