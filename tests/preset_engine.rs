//! A search engine that gives everybody one answer, and tells what it was asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde_json::Value;

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Option<Value>,
}

/// A server that gives one answer to everybody and remembers the last request.
pub(crate) struct Engine {
    pub(crate) url: String,
    last: Arc<Mutex<Option<Request>>>,
}

impl Engine {
    /// Starts the server; it runs until the test's process ends.
    pub(crate) fn answering(status: u16, body: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let last = Arc::new(Mutex::new(None));
        let (body, heard) = (body.to_string(), Arc::clone(&last));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is no failure of the server.
                if let Ok(request) = answer(stream, status, &body) {
                    *heard.lock().expect("no panic") = Some(request);
                }
            }
        });
        Self { url, last }
    }

    /// Returns the last request.
    pub(crate) fn heard(&self) -> Request {
        self.last.lock().expect("no panic").clone().expect("a request")
    }
}

/// What a client begins with that takes this server for one of `https`.
const TLS_HANDSHAKE: u8 = 22;

fn answer(mut stream: TcpStream, status: u16, body: &str) -> std::io::Result<Request> {
    let mut first = [0];
    stream.peek(&mut first)?;
    if first == [TLS_HANDSHAKE] {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")?;
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (mut length, mut content_type) = (0, None);
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? <= 2 {
            break;
        }
        let (name, value) = header.split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().expect("a length"),
            "content-type" => content_type = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let mut sent = vec![0; length];
    reader.read_exact(&mut sent)?;
    let sent = (length > 0).then(|| serde_json::from_slice(&sent).expect("a JSON body"));
    let bytes = body.len();
    write!(stream, "HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\nContent-Length: {bytes}\r\n")?;
    write!(stream, "Connection: close\r\n\r\n{body}")?;
    Ok(Request { method, path, content_type, body: sent })
}
