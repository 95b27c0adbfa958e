//! A search endpoint on this machine over the small shop's products, which can be told to fail.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// A server that runs until the test's process ends.
pub(crate) struct SearchServer {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    requests: AtomicUsize,
    /// Every answer is a failure.
    broken: AtomicBool,
    /// Products by id and title.
    products: Vec<(String, String)>,
}

impl SearchServer {
    /// Searches `products`, JSON lines with `item_id` and `title`.
    pub(crate) fn over(products: &str) -> Self {
        Self::over_at(products, "127.0.0.1")
    }

    /// Searches them at another address of this machine.
    pub(crate) fn over_at(products: &str, host: &str) -> Self {
        let product = |line: &str| {
            let product: Value = serde_json::from_str(line).expect("JSON");
            let text = |key: &str| product[key].as_str().expect("a text").to_owned();
            (text("item_id"), text("title"))
        };
        let state = Arc::new(State { products: products.lines().map(product).collect(), ..State::default() });
        let listener = TcpListener::bind((host, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                // A client that goes away is no failure of the server.
                thread::spawn(move || drop(serve(stream, &state)));
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/search", self.address)
    }

    pub(crate) fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// Says whether every answer is a failure from now on.
    pub(crate) fn break_down(&self, broken: bool) {
        self.state.broken.store(broken, Ordering::SeqCst);
    }
}

fn serve(stream: TcpStream, state: &State) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        state.requests.fetch_add(1, Ordering::SeqCst);
        let (status, answer) = answer(state, &head, &body);
        thread::sleep(Duration::from_millis(2));
        let answer = answer.to_string();
        let headers = format!("content-length: {}\r\nserver-timing: recall;dur=1.5", answer.len());
        write!(writer, "HTTP/1.1 {status}\r\n{headers}\r\n\r\n{answer}")?;
    }
}

/// Products that share words with the query, those that share more first. A query with `black` is refused with everything
/// that was sent.
fn answer(state: &State, head: &str, body: &[u8]) -> (&'static str, Value) {
    if state.broken.load(Ordering::SeqCst) {
        return ("503 Service Unavailable", json!({ "error": "the index is being rebuilt" }));
    }
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let query = request["query"].as_str().unwrap_or_default();
    if query.contains("black") {
        return ("403 Forbidden", json!({ "error": head }));
    }
    let shared = |title: &str| query.split(' ').filter(|word| title.split(' ').any(|other| other == *word)).count();
    let mut hits: Vec<(usize, &str)> =
        state.products.iter().map(|(id, title)| (shared(title), id.as_str())).filter(|(count, _)| *count > 0).collect();
    hits.sort_by_key(|(count, id)| (std::cmp::Reverse(*count), *id));
    let depth = request["depth"].as_u64().and_then(|depth| usize::try_from(depth).ok()).unwrap_or(0);
    let hit = |(count, id): &(usize, &str)| json!({ "id": id, "score": count });
    ("200 OK", json!({ "took": 2, "hits": hits.iter().take(depth).map(hit).collect::<Vec<_>>() }))
}
