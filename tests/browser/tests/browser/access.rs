//! Who can read and control the page: nobody but the page itself.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use fg_browser_tests::{Browser, Context, Options};
use serde_json::{Value, json};

/// Serves an empty page, which stands for any page in the internet that a developer has open, on another port.
fn foreign_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // The threads end with the process. Chromium opens connections before it needs them, so each has a thread.
    std::thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || respond(&connection));
        }
    });
    address
}

fn respond(mut connection: &TcpStream) {
    let mut head = BufReader::new(connection).lines().map_while(Result::ok);
    while head.next().is_some_and(|line| !line.is_empty()) {}
    let body = "<!doctype html><title>foreign</title><link rel=icon href=data:,>";
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close";
    let _ = write!(
        connection,
        "{head}\r\ncontent-length: {length}\r\n\r\n{body}"
    );
}

/// Returns the number of invocations that the page at this URL shows, through a browser that may read it.
fn invocations(browser: &Browser, page: &str) -> Value {
    browser.goto(page);
    browser.until_text("body", "1 invocation");
    browser.run_async(
        "const reader = (await fetch('api/events')).body.pipeThrough(new TextDecoderStream()).getReader();
         let text = '';
         while (!text.includes('\"kind\":\"delivery\"')) text += (await reader.read()).value;
         await reader.cancel();
         return text.split('\"kind\":\"invoke\"').length - 1;",
        &[],
    )
}

#[test]
#[ignore = "needs Chromium and chromedriver"]
fn other_origins_can_neither_read_nor_control() {
    let context = Context::new();
    let mut dev = context.dev(&[]);
    let page = dev.page();
    let port = dev.page_port();
    dev.event("invoked");

    let mut browser = Browser::with(&Options {
        // A name of an attacker that resolves to this machine, after the browser has loaded the attacker's page: DNS rebinding.
        arguments: vec!["--host-resolver-rules=MAP evil.test 127.0.0.1".to_owned()],
        ..Options::default()
    });
    let before = invocations(&browser, &page);
    browser.check_console();

    // Chromium reports each rejected request.
    browser.allow_errors("");
    let foreign = foreign_server();
    for attacker in [
        format!("http://{foreign}/"),
        format!("http://localhost:{}/", foreign.port()),
        format!("http://evil.test:{}/", foreign.port()),
    ] {
        browser.goto(&attacker);
        for target in [&page, &format!("http://evil.test:{port}/")] {
            let results = browser.run_async(ATTACK, &[json!(target)]);
            for (attempt, result) in results.as_object().unwrap() {
                assert_eq!(result, "rejected", "{attempt} of {target} from {attacker}");
            }
        }
    }

    // The page itself, at a name that is not of this machine.
    browser.goto(&format!("http://evil.test:{port}/"));
    let text = browser.text("body");
    assert!(!text.contains("extensionNightWatch.sh"), "{text}");
    let status = browser.run_async(
        "return (await fetch('/api/invoke', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'})).status;",
        &[],
    );
    assert_eq!(status, 403);

    // No attempt has caused an invocation.
    assert_eq!(invocations(&browser, &page), before);
}

/// Tries to read the page, or to invoke the function. An attempt is rejected if the script reads no data, and the element does
/// not load. Posts that a browser sends without a preflight request are sent, so the test counts invocations afterwards.
const ATTACK: &str = r#"
const page = arguments[0];
const attempts = {
    async fetch() { return (await fetch(page + 'api/events')).text(); },
    async 'fetch of a detail'() { return (await fetch(page + 'api/detail/1', {credentials: 'include'})).text(); },
    async 'fetch of an export'() { return (await fetch(page + 'api/export')).text(); },
    async 'post of JSON'() {
        const headers = {'Content-Type': 'application/json'};
        return (await fetch(page + 'api/invoke', {method: 'POST', headers, body: '{}'})).text();
    },
    async 'post of plain text'() { return (await fetch(page + 'api/invoke', {method: 'POST', body: '{}'})).text(); },
    async 'opaque post'() {
        const response = await fetch(page + 'api/invoke', {method: 'POST', mode: 'no-cors', body: '{}'});
        if (response.type === 'opaque') throw 'opaque';
    },
    async beacon() { navigator.sendBeacon(page + 'api/invoke', '{}'); throw 'sent'; },
    'event source'() {
        return new Promise((resolve, reject) => {
            const events = new EventSource(page + 'api/events');
            events.onopen = resolve;
            events.onerror = event => { events.close(); reject(event); };
        });
    },
    script() { return loads('script', 'app.js'); },
    style() { return loads('link', 'style.css', {rel: 'stylesheet'}); },
    form() {
        return new Promise((resolve, reject) => {
            const target = `frame${Math.random()}`;
            const frame = add('iframe', {name: target});
            const form = add('form', {target, method: 'POST', enctype: 'text/plain', action: page + 'api/invoke'});
            form.append(Object.assign(document.createElement('input'), {name: '{"payload":"', value: '"}'}));
            // A frame with another origin has no document that this script can read.
            frame.onload = () => frame.contentDocument === null ? reject('opaque') : null;
            form.submit();
        });
    },
    iframe() {
        return new Promise((resolve, reject) => {
            const frame = add('iframe', {src: page});
            frame.onload = () => frame.contentDocument ? resolve() : reject('opaque');
        });
    },
};
function add(tag, properties) {
    const element = Object.assign(document.createElement(tag), properties);
    document.body.append(element);
    return element;
}
function loads(tag, path, properties = {}) {
    return new Promise((resolve, reject) => {
        const element = add(tag, {...properties, onload: resolve, onerror: reject});
        element[tag === 'link' ? 'href' : 'src'] = page + path;
    });
}
const results = {};
for (const [name, attempt] of Object.entries(attempts)) {
    const limit = new Promise(resolve => setTimeout(resolve, 20_000, 'timed out'));
    results[name] = await Promise.race([attempt().then(value => `succeeded: ${value}`, () => 'rejected'), limit]);
}
return results;
"#;
