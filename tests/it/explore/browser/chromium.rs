//! Chromium without a window, told what to do over the DevTools protocol: JSON, each message ended
//! by a NUL, over two pipes (`--remote-debugging-pipe`). It knows nothing of what a page shows.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

use crate::support::PATIENCE;

/// The pipes become descriptors 3 and 4, where Chromium looks for them. It says much that is of no
/// use; what a page complains of comes over the pipes.
const BEGIN: &str = r#"exec chromium "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;

/// One at a time: several would only take the cores from each other.
static TURN: Mutex<()> = Mutex::new(());

/// A browser with one page, which ends with the test, however the test ends.
pub struct Chromium {
    child: Child,
    to_it: ChildStdin,
    from_it: Receiver<Value>,
    profile: PathBuf,
    session: Option<String>,
    calls: u64,
    requests: Vec<String>,
    complaints: Vec<String>,
    _turn: MutexGuard<'static, ()>,
}

impl Chromium {
    /// A browser with an empty page; `None`, and a line that says so, where there is none.
    pub fn start(test: &str) -> Option<Chromium> {
        if Command::new("chromium").arg("--version").output().is_err() {
            eprintln!("SKIPPED {test}: Chromium is not installed (Debian package chromium)");
            return None;
        }
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let profile = std::env::temp_dir().join(format!("epollo-{test}-{}", std::process::id()));
        let mut child = command(&profile).spawn().unwrap();
        let mut chromium = Chromium {
            to_it: child.stdin.take().unwrap(),
            from_it: messages(child.stdout.take().unwrap()),
            child,
            profile,
            session: None,
            calls: 0,
            requests: Vec::new(),
            complaints: Vec::new(),
            _turn: turn,
        };
        chromium.attach();
        Some(chromium)
    }

    fn attach(&mut self) {
        let target = self.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let whom = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.call("Target.attachToTarget", &whom);
        self.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), &json!({}));
        }
        self.resize(1440);
        self.speak("en");
    }

    /// Makes the window so many pixels wide.
    pub fn resize(&mut self, width: u32) {
        let size =
            json!({ "width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", &size);
        self.until(&format!("innerWidth === {width}"));
    }

    /// The language that the reader prefers.
    pub fn speak(&mut self, language: &str) {
        let agent = json!({ "userAgent": "test", "acceptLanguage": language });
        self.call("Network.setUserAgentOverride", &agent);
    }

    pub fn open(&mut self, address: &str) {
        let opened = self.call("Page.navigate", &json!({ "url": address }));
        assert_eq!(opened.get("errorText"), None, "{address}");
    }

    /// What an expression of the page comes to, once it is settled.
    pub fn value(&mut self, expression: &str) -> Value {
        let question =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut answer = self.call("Runtime.evaluate", &question);
        assert_eq!(answer.get("exceptionDetails"), None, "{expression}");
        answer["result"]["value"].take()
    }

    pub fn text(&mut self, expression: &str) -> String {
        let value = self.value(expression);
        let text = value.as_str();
        text.unwrap_or_else(|| panic!("{expression} is {value}"))
            .to_owned()
    }

    /// Waits until an expression of the page is true; fails if it never is.
    pub fn until(&mut self, expression: &str) {
        if !self.comes_true(expression, PATIENCE / 2) {
            let sight = self.text("document.body.innerText");
            panic!("never came true on the page: {expression}\n{sight}");
        }
    }

    /// Whether an expression of the page becomes true within this time.
    pub fn comes_true(&mut self, expression: &str, patience: Duration) -> bool {
        let patience = patience.as_millis();
        let question = format!(
            "new Promise((answer) => {{
                const end = performance.now() + {patience};
                const look = () => {{
                    const holds = Boolean({expression});
                    if (holds || performance.now() > end) answer(holds);
                    else setTimeout(look, 20);
                }};
                look();
            }})"
        );
        self.value(&question) == json!(true)
    }

    /// Presses what this selector finds, with the mouse, where a reader would.
    pub fn click(&mut self, selector: &str) {
        let place = self.value(&format!(
            "(() => {{
                const found = document.querySelector({selector:?});
                found.scrollIntoView({{ block: 'center', behavior: 'instant' }});
                const {{ x, y, width, height }} = found.getBoundingClientRect();
                const at = [x + width / 2, y + height / 2];
                const top = document.elementFromPoint(...at);
                return !found.disabled && (found === top || found.contains(top)) ? at : null;
            }})()"
        ));
        assert!(place.is_array(), "{selector} cannot be pressed");
        for kind in ["mousePressed", "mouseReleased"] {
            let click = json!({
                "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1
            });
            self.call("Input.dispatchMouseEvent", &click);
        }
    }

    /// Presses a key that writes nothing: `ArrowLeft`.
    pub fn press(&mut self, key: &str) {
        for kind in ["rawKeyDown", "keyUp"] {
            let stroke = json!({ "type": kind, "key": key, "code": key });
            self.call("Input.dispatchKeyEvent", &stroke);
        }
    }

    /// Chooses of a list, as a reader does.
    pub fn choose(&mut self, selector: &str, value: &str) {
        self.value(&format!(
            "(() => {{
                const list = document.querySelector({selector:?});
                list.value = {value:?};
                list.dispatchEvent(new Event('change', {{ bubbles: true }}));
            }})()"
        ));
    }

    /// What the page asked of the network.
    pub fn requests(&self) -> &[String] {
        &self.requests
    }

    /// Errors that the page made, and whatever the browser refused it.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.calls += 1;
        let mut message = json!({ "id": self.calls, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to_it.write_all(&bytes).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let told = self.from_it.recv_timeout(left);
            let mut told = told.unwrap_or_else(|_| panic!("no answer to {method}"));
            if told["id"] == json!(self.calls) {
                assert_eq!(told.get("error"), None, "{method} {parameters}");
                return told["result"].take();
            }
            self.note(&told);
        }
    }

    fn note(&mut self, told: &Value) {
        let about = &told["params"];
        let is_bad = match told["method"].as_str() {
            Some("Network.requestWillBeSent") => {
                let address = about["request"]["url"].as_str().unwrap();
                self.requests.push(address.to_owned());
                false
            }
            Some("Log.entryAdded") => about["entry"]["level"] != json!("info"),
            Some("Runtime.consoleAPICalled") => ["error", "warning", "assert"]
                .iter()
                .any(|kind| about["type"] == json!(kind)),
            Some("Runtime.exceptionThrown") => true,
            _ => false,
        };
        if is_bad {
            self.complaints.push(about.to_string());
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It may have ended already. Its helpers are of its process group.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

fn command(profile: &std::path::Path) -> Command {
    let mut command = Command::new("sh");
    command.args([
        "-c",
        BEGIN,
        "sh",
        "--headless",
        "--remote-debugging-pipe",
        "--disable-gpu",
    ]);
    command.args([
        "--no-first-run",
        "--disable-dev-shm-usage",
        "--disable-breakpad",
    ]);
    command.args([
        "--disable-background-networking",
        "--disable-component-update",
    ]);
    command.arg(format!("--user-data-dir={}", profile.display()));
    if rustix::process::geteuid().is_root() {
        command.arg("--no-sandbox");
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command.process_group(0);
    command
}

/// What it tells, as it comes.
fn messages(stream: ChildStdout) -> Receiver<Value> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut message = Vec::new();
        while reader
            .read_until(0, &mut message)
            .is_ok_and(|count| count > 0)
        {
            message.pop();
            let told = serde_json::from_slice(&message).unwrap();
            message.clear();
            if sender.send(told).is_err() {
                return;
            }
        }
    });
    receiver
}
