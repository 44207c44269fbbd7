//! A headless Chromium, whose methods block until they are done.

use std::fmt::Write as _;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::error::CmdError;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::driver::Driver;

/// The longest time to wait for the page.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Width and height of the page in CSS pixels.
pub type Size = (u32, u32);

/// A laptop.
pub const DESKTOP: Size = (1280, 800);
/// A phone.
pub const PHONE: Size = (390, 844);

/// A color scheme that the user prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Dark text on a light background.
    Light,
    /// Light text on a dark background.
    Dark,
}

/// How a browser is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The size of the page.
    pub size: Size,
    /// The color scheme.
    pub scheme: Scheme,
    /// The device pixel ratio.
    pub scale: f64,
    /// Further arguments of Chromium.
    pub arguments: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            size: DESKTOP,
            scheme: Scheme::Light,
            scale: 1.0,
            arguments: Vec::new(),
        }
    }
}

/// A headless Chromium with a fresh profile.
///
/// Dropping it closes it. The drop panics if the console of the page contains errors, which includes violations of its
/// Content-Security-Policy, and which [`allow_errors`](Self::allow_errors) permits. A page whose server has stopped
/// tries to connect again, which is such an error, so drop the browser first.
pub struct Browser {
    // The order matters: the client is closed before the driver is killed.
    client: Client,
    runtime: Runtime,
    allowed: Vec<String>,
    downloads: tempfile::TempDir,
    _driver: Driver,
}

impl Browser {
    /// Starts Chromium with the default options.
    pub fn open() -> Self {
        Self::with(&Options::default())
    }

    /// Starts Chromium.
    pub fn with(options: &Options) -> Self {
        let driver = Driver::start();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            // There is nothing to download, and most machines that run tests have no GPU.
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-gpu".to_owned(),
            "--no-first-run".to_owned(),
            "--enable-precise-memory-info".to_owned(),
        ];
        if nix::unistd::geteuid().is_root() {
            // Chromium's sandbox does not work for root.
            arguments.push("--no-sandbox".to_owned());
        }
        arguments.extend(options.arguments.iter().cloned());
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"script": TIMEOUT.as_millis() as u64},
        });
        let Value::Object(capabilities) = capabilities else {
            unreachable!("the literal above is an object")
        };
        let client = runtime.block_on(
            ClientBuilder::new(HttpConnector::new())
                .capabilities(capabilities)
                .connect(&driver.url()),
        );
        let browser = Self {
            client: client.unwrap_or_else(|error| panic!("cannot start Chromium: {error}")),
            runtime,
            allowed: Vec::new(),
            downloads: tempfile::tempdir().unwrap(),
            _driver: driver,
        };
        let downloads = browser.downloads.path().to_str().unwrap();
        browser.cdp(
            "Browser.setDownloadBehavior",
            json!({"behavior": "allow", "downloadPath": downloads}),
        );
        browser.resize(options.size, options.scale);
        browser.prefer(options.scheme);
        browser
    }

    /// Sets the size of the page, and its device pixel ratio. A narrow page emulates a phone, with touch.
    pub fn resize(&self, (width, height): Size, scale: f64) {
        let mobile = width < 600;
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": mobile}),
        );
        self.cdp(
            "Emulation.setTouchEmulationEnabled",
            json!({"enabled": mobile}),
        );
    }

    /// Sets the preferred color scheme.
    pub fn prefer(&self, scheme: Scheme) {
        let value = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        self.media("prefers-color-scheme", value);
    }

    /// Sets a media feature, such as `prefers-reduced-motion`. The other features have their defaults again.
    pub fn media(&self, name: &str, value: &str) {
        self.cdp(
            "Emulation.setEmulatedMedia",
            json!({"features": [{"name": name, "value": value}]}),
        );
    }

    /// Opens a URL, and waits until the page has loaded.
    pub fn goto(&self, url: &str) {
        self.get(self.client.goto(url));
    }

    /// Opens a file.
    pub fn goto_file(&self, path: &Path) {
        self.goto(&format!("file://{}", path.display()));
    }

    /// Reloads the page.
    pub fn reload(&self) {
        self.get(self.client.refresh());
    }

    /// Runs the body of a JavaScript function, with `arguments` as its arguments, and returns what it returns.
    pub fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.get(self.client.execute(script, arguments.to_vec()))
    }

    /// Runs the body of an asynchronous function, which may use `await`. An exception is a panic.
    pub fn run_async(&self, script: &str, arguments: &[Value]) -> Value {
        let body = format!(
            "const done = arguments[arguments.length - 1];
             (async function () {{ {script} }}).apply(null, arguments)
                 .then(value => done({{value}}), error => done({{error: String(error)}}));"
        );
        let result = self.get(self.client.execute_async(&body, arguments.to_vec()));
        assert!(result["error"].is_null(), "{}", result["error"]);
        result["value"].clone()
    }

    /// Presses a key, as on a keyboard: one of WebDriver's key codes, or a character.
    pub fn key(&self, key: char) {
        self.keys_together(&[key]);
    }

    /// Presses several keys together, such as Shift and Tab.
    pub fn keys_together(&self, keys: &[char]) {
        let down = keys.iter().map(|&value| KeyAction::Down { value });
        let up = keys.iter().rev().map(|&value| KeyAction::Up { value });
        let actions = down
            .chain(up)
            .fold(KeyActions::new("keyboard".to_owned()), KeyActions::then);
        self.get(self.client.perform_actions(actions));
    }

    /// Waits until a JavaScript expression is true. Returns its value.
    pub fn until(&self, expression: &str) -> Value {
        self.until_with(expression, &[])
    }

    /// Waits until a JavaScript expression, which can use `arguments`, is true. Returns its value.
    pub fn until_with(&self, expression: &str, arguments: &[Value]) -> Value {
        let until = Instant::now() + TIMEOUT;
        // The browser looks at the condition with each frame. An exception counts as false, as in
        // `document.querySelector("#detail").hidden` before there are details.
        let script = format!(
            "const values = arguments;
             const condition = function () {{ try {{ return {expression}; }} catch {{ return false; }} }};
             const end = performance.now() + 3000;
             return new Promise(resolve => {{
                 const look = () => {{
                     const value = condition.apply(null, values);
                     if (value || performance.now() > end) resolve(value);
                     else setTimeout(look, 15);
                 }};
                 look();
             }});"
        );
        loop {
            // An error means that the page is being loaded again.
            let value = self.wait(self.client.execute(&script, arguments.to_vec()));
            if let Ok(value) = &value
                && !matches!(value, Value::Null | Value::Bool(false))
                && *value != json!(0)
                && *value != json!("")
            {
                return value.clone();
            }
            assert!(
                Instant::now() < until,
                "the page does not fulfill `{expression}` {arguments:?}: {value:?}\n{}",
                self.describe()
            );
        }
    }

    /// Waits until an element that matches the CSS selector contains the text.
    pub fn until_text(&self, selector: &str, text: &str) {
        self.until_with(
            "[...document.querySelectorAll(arguments[0])].some(it => it.innerText.includes(arguments[1]))",
            &[selector.into(), text.into()],
        );
    }

    /// Returns the visible text of the first element that matches the CSS selector.
    pub fn text(&self, selector: &str) -> String {
        let text = self.run(
            "return document.querySelector(arguments[0])?.innerText",
            &[selector.into()],
        );
        match text {
            Value::String(text) => text,
            _ => panic!("no element matches `{selector}`"),
        }
    }

    /// Clicks with the mouse on the first element that matches the CSS selector, after it is visible and enabled.
    pub fn click(&self, selector: &str) {
        self.until_with(
            "(it => it && !it.disabled && it.getClientRects().length > 0)(document.querySelector(arguments[0]))",
            &[selector.into()],
        );
        self.get(async {
            let element = self.client.find(Locator::Css(selector)).await?;
            element.click().await
        });
    }

    /// Clicks on the enabled, visible button whose accessible name or text is this, or starts with it.
    pub fn press(&self, name: &str) {
        self.until_with(
            "(() => {
                const buttons = [...document.querySelectorAll('button, [role=button], [role=tab], summary')]
                    .filter(it => !it.disabled && it.getAttribute('aria-disabled') !== 'true'
                        && it.getClientRects().length > 0);
                const names = it => [it.getAttribute('aria-label'), it.innerText.trim(), it.innerText.split('\\n')[0].trim()];
                const found = buttons.find(it => names(it).includes(arguments[0]))
                    ?? buttons.find(it => names(it).some(name => name?.startsWith(arguments[0])));
                document.querySelectorAll('[data-press]').forEach(it => it.removeAttribute('data-press'));
                found?.setAttribute('data-press', '');
                return Boolean(found);
            })()",
            &[name.into()],
        );
        self.click("[data-press]");
    }

    /// Replaces the text of an input.
    pub fn fill(&self, selector: &str, text: &str) {
        self.get(async {
            let element = self.client.find(Locator::Css(selector)).await?;
            element.clear().await?;
            element.send_keys(text).await
        });
    }

    /// Sets the visible field with this label: types into an input, or chooses an option.
    pub fn set(&self, label: &str, value: &str) {
        let tag = self.until_with(
            "(() => {
                const fields = [...document.querySelectorAll('input:not([type=file]), select, textarea')].filter(it => it.checkVisibility());
                const names = it => [it.getAttribute('aria-label'), ...[...it.labels].map(label => label.innerText.trim())];
                const found = fields.find(it => names(it).includes(arguments[0]))
                    ?? fields.find(it => names(it).some(name => name?.startsWith(arguments[0])));
                document.querySelectorAll('[data-field]').forEach(it => it.removeAttribute('data-field'));
                found?.setAttribute('data-field', '');
                return found?.localName;
            })()",
            &[label.into()],
        );
        if tag == "select" {
            self.get(async {
                let element = self.client.find(Locator::Css("[data-field]")).await?;
                element.select_by_label(value).await
            });
        } else {
            self.fill("[data-field]", value);
        }
    }

    /// Chooses a file in a file picker, which may be hidden.
    pub fn choose_file(&self, selector: &str, path: &Path) {
        self.get(async {
            let element = self.client.find(Locator::Css(selector)).await?;
            element.send_keys(path.to_str().unwrap()).await
        });
    }

    /// Sends keys to the focused element.
    pub fn keys(&self, text: &str) {
        self.get(async {
            let element = self.client.active_element().await?;
            element.send_keys(text).await
        });
    }

    /// Returns a screenshot of the page as PNG.
    pub fn screenshot(&self) -> Vec<u8> {
        self.get(self.client.screenshot())
    }

    /// Runs a command of the Chrome DevTools Protocol.
    pub fn cdp(&self, method: &str, parameters: Value) -> Value {
        self.get(self.client.issue_cmd(Vendor {
            path: "goog/cdp/execute",
            body: json!({"cmd": method, "params": parameters}),
        }))
    }

    /// Returns the new messages of the console: their levels, sources and texts.
    pub fn console(&self) -> Vec<String> {
        let entries = self.get(self.client.issue_cmd(Vendor {
            path: "se/log",
            body: json!({"type": "browser"}),
        }));
        let entries = entries.as_array().unwrap().iter().map(|entry| {
            let field = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            format!(
                "{} {}: {}",
                field("level"),
                field("source"),
                field("message")
            )
        });
        entries.collect()
    }

    /// Permits messages with this text on the console.
    pub fn allow_errors(&mut self, text: &str) {
        self.allowed.push(text.to_owned());
    }

    /// Panics if there are errors or warnings on the console that are not permitted.
    pub fn check_console(&self) {
        let mut errors = self.console();
        errors.retain(|message| {
            let is_error = ["SEVERE", "WARNING"]
                .iter()
                .any(|level| message.starts_with(level));
            is_error && !self.allowed.iter().any(|text| message.contains(text))
        });
        assert!(errors.is_empty(), "errors on the console: {errors:#?}");
    }

    /// Waits until a file that ends with this text has been downloaded. Returns its path.
    pub fn download(&self, end: &str) -> PathBuf {
        let until = Instant::now() + TIMEOUT;
        loop {
            let mut files = std::fs::read_dir(self.downloads.path()).unwrap();
            // Chromium downloads into a file with another name. At its own name, the file can still be incomplete.
            let complete = files.find_map(|file| {
                let path = file.unwrap().path();
                let text = std::fs::read(&path).unwrap_or_default();
                let is_named = path.extension().is_some_and(|it| it != "crdownload");
                (is_named && text.ends_with(end.as_bytes())).then_some(path)
            });
            if let Some(path) = complete {
                return path;
            }
            assert!(Instant::now() < until, "no file was downloaded");
            // A frame of the page passes.
            self.run_async("await new Promise(requestAnimationFrame);", &[]);
        }
    }

    /// Returns the client, for what this type does not offer.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Waits for a command of the client. An error is a panic.
    pub fn get<T>(&self, command: impl Future<Output = Result<T, CmdError>>) -> T {
        self.wait(command)
            .unwrap_or_else(|error| panic!("WebDriver: {error}\n{}", self.describe()))
    }

    fn wait<T>(&self, command: impl Future<Output = Result<T, CmdError>>) -> Result<T, CmdError> {
        self.runtime.block_on(command)
    }

    /// Describes the page, for the message of a failure.
    fn describe(&self) -> String {
        let mut text = String::new();
        if let Ok(url) = self.wait(self.client.current_url()) {
            let _ = writeln!(text, "page: {url}");
        }
        let script = "return document.body?.innerText.slice(0, 4000)";
        if let Ok(Value::String(body)) = self.wait(self.client.execute(script, Vec::new())) {
            let _ = writeln!(text, "{body}");
        }
        if let Ok(png) = self.wait(self.client.screenshot()) {
            let name = std::thread::current()
                .name()
                .unwrap_or("page")
                .replace("::", "-");
            let directory = crate::cargo_fg().with_file_name("browser-tests");
            let path = directory.join(format!("{name}.png"));
            if std::fs::create_dir_all(&directory)
                .and_then(|()| std::fs::write(&path, png))
                .is_ok()
            {
                let _ = writeln!(text, "screenshot: {}", path.display());
            }
        }
        text
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check_console();
        }
        let client = self.client.clone();
        let _ = self.wait(client.close());
    }
}

/// A command of chromedriver that WebDriver does not define.
#[derive(Debug)]
struct Vendor {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Vendor {
    fn endpoint(
        &self,
        base_url: &url::Url,
        session_id: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        let session = session_id.unwrap_or_default();
        base_url.join(&format!("session/{session}/{}", self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}
