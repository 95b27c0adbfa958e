//! Clients of HTTP/2 that make no room, give up what they asked for, or send too much of it, by frames that are written here.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::jobs::{Silent, waiting_run};
use super::running::Server;
use super::shop::Shop;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const ACKNOWLEDGED: u8 = 1;
const END_OF_STREAM: u8 = 1;
const END_OF_HEADERS: u8 = 4;

const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

/// A frame as it came.
#[derive(Debug)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    fn code(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// A connection whose client gives every stream that many bytes of room at first, and more only when it is told to.
struct Connection(TcpStream);

impl Connection {
    fn open(server: &Server, window: u32) -> Self {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let mut connection = Self(stream);
        connection.send(SETTINGS, 0, 0, &[&[0, 4], window.to_be_bytes().as_slice()].concat()).unwrap();
        connection
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> std::io::Result<()> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        self.0.write_all(&[&head, payload].concat())
    }

    /// Asks for a path. The headers are written as they are: no table, no Huffman.
    fn ask(&mut self, stream: u32, path: &str, token: &str) -> std::io::Result<()> {
        self.send(HEADERS, END_OF_HEADERS | END_OF_STREAM, stream, &headers(0x82, path, token))
    }

    /// Returns the next frame; `None` once the server has closed the connection. Pings are answered.
    fn next(&mut self) -> Option<Frame> {
        loop {
            let mut head = [0; 9];
            match self.0.read_exact(&mut head) {
                Ok(()) => {}
                Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
                    return None;
                }
                Err(error) => panic!("{error}"),
            }
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            self.0.read_exact(&mut payload).ok()?;
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            let frame = Frame { kind: head[3], flags: head[4], stream, payload };
            match frame.kind {
                PING if frame.flags & ACKNOWLEDGED == 0 => {
                    let _ = self.send(PING, ACKNOWLEDGED, 0, &frame.payload);
                }
                SETTINGS if frame.flags & ACKNOWLEDGED == 0 => {
                    let _ = self.send(SETTINGS, ACKNOWLEDGED, 0, &[]);
                }
                SETTINGS => {}
                _ => return Some(frame),
            }
        }
    }

    /// Returns whatever comes until the server closes the connection.
    fn rest(&mut self) -> Vec<Frame> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

fn literal(text: &str) -> Vec<u8> {
    let length = text.len();
    let prefix = if length < 127 {
        vec![u8::try_from(length).unwrap()]
    } else {
        let (mut rest, mut prefix) = (length - 127, vec![127]);
        while rest >= 128 {
            prefix.push(u8::try_from(rest % 128).unwrap() | 128);
            rest /= 128;
        }
        prefix.push(u8::try_from(rest).unwrap());
        prefix
    };
    [prefix, text.as_bytes().to_vec()].concat()
}

fn headers(method: u8, path: &str, token: &str) -> Vec<u8> {
    // Of the static table: `:scheme: http`, `:authority`, `:path`, `authorization`.
    let authorization = literal(&format!("Bearer {token}"));
    [&[method, 0x86, 0x01], &*literal("x"), &[0x04], &literal(path), &[0x0f, 0x08], &authorization].concat()
}

fn healthy(server: &Server) {
    assert_eq!(server.send_bytes("GET", "/healthz", &[], None).body, "ok\n");
}

#[test]
fn a_client_that_makes_no_room_is_closed_and_one_that_waits_for_events_is_not() {
    let silent = Silent::start();
    let shop = Shop::open_with(&["--idle-timeout", "2s", "--workers", "1", "--allow-outbound", &silent.address]);
    let id = shop.run(&[]);
    shop.report(&id);
    for (what, path) in
        [("a file", format!("/v1/runs/{id}/artifacts/report.json")), ("events", format!("/v1/runs/{id}/events"))]
    {
        for window in [0, 10] {
            let begun = Instant::now();
            let mut connection = Connection::open(&shop.server, window);
            connection.ask(1, &path, &shop.token).unwrap();
            let frames = connection.rest();
            let taken = begun.elapsed();
            assert!(frames.iter().any(|frame| frame.kind == HEADERS), "{what}: {frames:?}");
            let room: usize = frames.iter().filter(|frame| frame.kind == DATA).map(|frame| frame.payload.len()).sum();
            assert!(room <= window as usize && frames.iter().any(|frame| frame.kind == GO_AWAY), "{what}: {frames:?}");
            assert!((Duration::from_secs(2)..Duration::from_secs(60)).contains(&taken), "{what}: {taken:?}");
        }
    }
    // A stream with room on which nothing happens is not idle: the server is who is waited for.
    let waiting = waiting_run(&shop, &silent);
    let mut connection = Connection::open(&shop.server, 1 << 20);
    connection.ask(1, &format!("/v1/runs/{waiting}/events"), &shop.token).unwrap();
    let begun = Instant::now();
    connection.0.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    while begun.elapsed() < Duration::from_secs(6) {
        let mut bytes = [0; 4096];
        match connection.0.read(&mut bytes) {
            Ok(0) => panic!("closed after {:?}", begun.elapsed()),
            // The server's pings go unanswered, which they may for as long as a header may take.
            Ok(_) => {}
            Err(error) => assert!([ErrorKind::WouldBlock, ErrorKind::Interrupted].contains(&error.kind()), "{error}"),
        }
    }
}

#[test]
fn streams_beyond_the_limit_are_refused_and_those_before_go_on() {
    let shop = Shop::open();
    let mut connection = Connection::open(&shop.server, 0);
    for index in 0..130 {
        connection.ask(index * 2 + 1, "/docs", &shop.token).unwrap();
    }
    let mut refused = Vec::new();
    let mut answered = std::collections::BTreeSet::new();
    while refused.len() < 2 || answered.len() < 128 {
        let frame = connection.next().expect("an open connection");
        match frame.kind {
            RESET => refused.push((frame.stream, frame.code(0))),
            HEADERS => drop(answered.insert(frame.stream)),
            _ => {}
        }
    }
    assert_eq!(refused, [(257, REFUSED_STREAM), (259, REFUSED_STREAM)]);
    healthy(&shop.server);
}

#[test]
fn who_resets_what_was_asked_for_again_and_again_is_sent_away() {
    let server = Server::start();
    let token = server.token("acme", "ci");
    // So fast that the server has not looked at most of them.
    let mut connection = Connection::open(&server, 65_535);
    for index in 0..20_000 {
        let stream = index * 2 + 1;
        let sent = connection
            .ask(stream, "/v1/organisation", &token)
            .and_then(|()| connection.send(RESET, 0, stream, &CANCEL.to_be_bytes()));
        if sent.is_err() {
            break;
        }
    }
    // What the server said may be lost with the connection; that it closed it is what counts.
    let said = connection.rest();
    let codes: Vec<u32> = said.iter().filter(|frame| frame.kind == GO_AWAY).map(|frame| frame.code(4)).collect();
    assert!(codes.iter().all(|code| [0, ENHANCE_YOUR_CALM].contains(code)), "{codes:?}");

    // So slow that each is begun: a body that never comes is waited for.
    let mut connection = Connection::open(&server, 65_535);
    let begun = Instant::now();
    let mut given_up = 0;
    let gone = loop {
        let stream = given_up * 2 + 1;
        let asked = connection.send(HEADERS, END_OF_HEADERS, stream, &headers(0x83, "/v1/corpora/compare", &token));
        std::thread::sleep(Duration::from_millis(3));
        let sent = asked.and_then(|()| connection.send(RESET, 0, stream, &CANCEL.to_be_bytes()));
        if sent.is_err() {
            break given_up;
        }
        given_up += 1;
        assert!(begun.elapsed() < Duration::from_secs(60), "{given_up} were taken");
    };
    eprintln!("closed after {gone} streams that were given up");
    healthy(&server);
}

#[test]
fn floods_of_headers_are_ended_without_being_kept() {
    let server = Server::start();
    let is_over = |connection: &mut Connection| {
        let frames = connection.rest();
        let errors = frames.iter().filter(|frame| [GO_AWAY, RESET].contains(&frame.kind)).count();
        (errors, frames.iter().filter(|frame| frame.kind == HEADERS).count())
    };
    // A list of headers that is too long, in one frame: that request is refused, in words of its own.
    let long = format!("/v1/{}", "x".repeat(15_000));
    let mut connection = Connection::open(&server, 65_535);
    let mut field = vec![0x00];
    field.extend(literal("x-long"));
    field.extend(literal(&"y".repeat(5_000)));
    let mut begun = headers(0x82, &long[..9_000], "t");
    begun.truncate(16_000);
    connection.send(HEADERS, END_OF_STREAM, 1, &begun).unwrap();
    for _ in 0..3 {
        connection.send(CONTINUATION, 0, 1, &field).unwrap();
    }
    connection.send(CONTINUATION, END_OF_HEADERS, 1, &[]).unwrap();
    let first = std::iter::from_fn(|| connection.next()).find(|frame| [HEADERS, RESET, GO_AWAY].contains(&frame.kind));
    let first = first.expect("an answer");
    // `:status: 431` is not in the static table: its digits are written out, as they are or by the Huffman code.
    let written: [&[u8]; 2] = [b"431", &[0x69, 0x90, 0xff]];
    let is_refused = first.kind == HEADERS && first.payload.windows(3).any(|part| written.contains(&part));
    assert!(is_refused || [RESET, GO_AWAY].contains(&first.kind), "{first:?}");
    drop(connection);
    // Continuations without an end.
    let mut connection = Connection::open(&server, 65_535);
    connection.send(HEADERS, END_OF_STREAM, 1, &[0x82, 0x86]).unwrap();
    let begun = Instant::now();
    while connection.send(CONTINUATION, 0, 1, &field).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(60), "they are taken for ever");
    }
    let (_, answers) = is_over(&mut connection);
    assert_eq!(answers, 0);
    // The same over HTTP/1.1: a header that does not fit, and too many of them.
    for flood in [format!("X-Long: {}\r\n", "y".repeat(200_000)), "X-Many: 1\r\n".repeat(2_000)] {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let _ = stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{flood}\r\n").as_bytes());
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
    }
    healthy(&server);
    let resident = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let resident = resident.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: u64 = resident.trim().trim_end_matches(" kB").trim().parse().unwrap();
    assert!(kilobytes < 400_000, "{kilobytes} kB");
}
