//! A server that a test started, and clients of it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::rematch::binary;

/// How long anything may take on a machine that is busy with many tests.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);

/// A server, killed when it is dropped.
pub(super) struct Server {
    child: Child,
    address: String,
    data: PathBuf,
    log: Arc<Mutex<String>>,
    _folder: Option<tempfile::TempDir>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Returns the JSON of an answer of that status.
    #[track_caller]
    pub(super) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        if self.body.is_empty() { Value::Null } else { self.json() }
    }
}

impl Server {
    /// Starts a server with a data directory of its own.
    pub(super) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(super) fn start_with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        Self::launch(&data, arguments, &[], Some(folder))
    }

    /// Starts a server with those variables in its environment.
    pub(super) fn start_in(variables: &[(&str, &str)], arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        Self::launch(&data, arguments, variables, Some(folder))
    }

    /// Starts a server over data that is there.
    pub(super) fn start_over(data: &Path, arguments: &[&str]) -> Self {
        Self::launch(data, arguments, &[], None)
    }

    fn launch(data: &Path, arguments: &[&str], variables: &[(&str, &str)], folder: Option<tempfile::TempDir>) -> Self {
        // A client or a worker that a busy machine holds up is no slow one, unless that is what a test is about.
        let patient = [
            ("--header-timeout", "2m"),
            ("--body-timeout", "2m"),
            ("--shutdown-timeout", "50s"),
            ("--request-time", "50s"),
        ];
        let patient = patient.into_iter().filter(|(name, _)| !arguments.contains(name));
        let mut child = Command::new(binary())
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(patient.flat_map(|(name, time)| [name, time]))
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("a server that listens").unwrap();
            let told: Value = serde_json::from_str(&line).unwrap_or_default();
            if told["fields"]["message"] == "listening" {
                break told["fields"]["address"].as_str().unwrap().to_owned();
            }
            assert!(told["level"] != "ERROR", "{line}");
        };
        // Read on, so that the server never waits for room in the pipe.
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *kept.lock().unwrap() += &(line + "\n");
            }
        });
        Self { child, address, data: data.to_owned(), log, _folder: folder }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns what the server wrote to its log since it listens.
    pub(super) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Asks the server to end, as an operator does.
    pub(super) fn terminate(&self) {
        assert!(Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().unwrap().success());
    }

    /// Waits until the server has ended by itself.
    pub(super) fn ended(&mut self) -> ExitStatus {
        until("the end of the server", || self.child.try_wait().unwrap())
    }

    /// Returns a new token of that organisation and role.
    pub(super) fn token(&self, organisation: &str, role: &str) -> String {
        let made = Command::new(binary())
            .args(["token", "create", organisation, "--role", role, "--data"])
            .arg(&self.data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    }

    /// Sends a request with a token and a JSON body.
    pub(super) fn send(&self, method: &str, path: &str, token: &str, body: Option<&Value>) -> Answer {
        let body = body.map(|body| ("application/json", body.to_string().into_bytes()));
        self.send_bytes(method, path, &[("authorization", &format!("Bearer {token}"))], body)
    }

    pub(super) fn get(&self, path: &str, token: &str) -> Answer {
        self.send("GET", path, token, None)
    }

    pub(super) fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.send("POST", path, token, Some(body))
    }

    pub(super) fn send_bytes(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<(&str, Vec<u8>)>,
    ) -> Answer {
        let client = reqwest::blocking::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = client.request(method, format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some((kind, body)) = body {
            request = request.header("content-type", kind).body(body);
        }
        let response = request.send().unwrap();
        let status = response.status().as_u16();
        let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        Answer { status, headers, body: response.text().unwrap() }
    }

    /// Kills it as a power cut would, and returns its data directory; the folder stays until the returned guard is dropped.
    pub(super) fn kill(mut self) -> (PathBuf, Option<tempfile::TempDir>) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        (self.data.clone(), self._folder.take())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks until the answer holds, for at most three minutes.
#[track_caller]
pub(super) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
