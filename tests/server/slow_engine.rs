//! A search engine on this machine that lets searches for something `slow` wait.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long it lets wait at most.
const MOST: Duration = Duration::from_secs(110);

/// A search engine; whatever waits for it ends with it.
pub(super) struct SlowEngine {
    pub(super) address: String,
    released: Arc<AtomicBool>,
}

impl SlowEngine {
    /// Starts one that finds `p0001` and `p0002`, or the one item that it is told as `first`.
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let released = Arc::new(AtomicBool::new(false));
        let is_released = Arc::clone(&released);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let is_released = Arc::clone(&is_released);
                std::thread::spawn(move || answer(stream, &is_released));
            }
        });
        Self { address, released }
    }

    /// Lets everything go on.
    pub(super) fn release(&self) {
        self.released.store(true, Ordering::SeqCst);
    }

    /// Returns the parameters of an `http` stage that asks it.
    pub(super) fn parameters(&self) -> Value {
        json!({ "url": format!("http://{}/?q={{{{ query }}}}", self.address), "ids": "$.hits[*].id", "policy": patience() })
    }

    /// Returns those of a `rerank` stage: it leaves the first hit the first.
    pub(super) fn rerank(&self) -> Value {
        let url = format!("http://{}/?q={{{{ query }}}}&first={{{{ hits[0].item_id }}}}", self.address);
        json!({ "http": { "url": url, "ids": "$.hits[*].id", "policy": patience() } })
    }
}

/// Returns deadlines that are longer than whatever it lets wait.
fn patience() -> Value {
    json!({ "connect-timeout": "2m", "read-timeout": "2m", "timeout": "2m" })
}

impl Drop for SlowEngine {
    fn drop(&mut self) {
        self.release();
    }
}

fn answer(mut stream: TcpStream, is_released: &AtomicBool) {
    let mut request = [0; 8192];
    let length = stream.read(&mut request).unwrap_or_default();
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    let line = request.lines().next().unwrap_or_default();
    let begun = Instant::now();
    while line.contains("slow") && !is_released.load(Ordering::SeqCst) && begun.elapsed() < MOST {
        std::thread::sleep(Duration::from_millis(10));
    }
    let first = line.split_once("first=").and_then(|(_, rest)| rest.split([' ', '&']).next());
    let hits = match first {
        Some(first) => json!([{ "id": first }]),
        None => json!([{ "id": "p0001" }, { "id": "p0002" }]),
    };
    let body = json!({ "hits": hits }).to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all((head + &body).as_bytes());
}
