use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::*;

/// How a server answers.
#[derive(Clone)]
struct Manners {
    content: Arc<Mutex<Vec<u8>>>,
    etag: Option<&'static str>,
    ranges: bool,
    /// Every n-th request is dropped, and the one after it answered with 503; 0 for none.
    fails_every: u64,
    requests: Arc<AtomicU64>,
}

/// Serves one content under every path, for as long as the test runs.
fn serve(manners: &Manners) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let manners = manners.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let manners = manners.clone();
            std::thread::spawn(move || answer(&manners, &stream));
        }
    });
    origin
}

fn answer(manners: &Manners, stream: &TcpStream) -> Option<()> {
    let number = manners.requests.fetch_add(1, Ordering::Relaxed) + 1;
    let (mut head, mut range) = (String::new(), None);
    for line in BufReader::new(stream).lines() {
        let line = line.ok()?.to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some((start, end)) = line.strip_prefix("range: bytes=").and_then(|range| range.split_once('-')) {
            range = Some((start.parse::<usize>().ok()?, end.parse::<usize>().ok()?));
        }
        if head.is_empty() {
            head = line;
        }
    }
    let mut stream = stream;
    if manners.fails_every > 0 && number % manners.fails_every == 1 {
        return None;
    }
    if manners.fails_every > 0 && number % manners.fails_every == 2 {
        return stream.write_all(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok();
    }
    let content = manners.content.lock().unwrap().clone();
    let etag = manners.etag.map(|tag| format!("etag: \"{tag}-{}\"\r\n", content.len())).unwrap_or_default();
    let (status, body, more) = match range.filter(|_| manners.ranges) {
        Some((start, end)) => {
            let end = (end + 1).min(content.len());
            let more = format!("content-range: bytes {start}-{}/{}\r\n", end - 1, content.len());
            ("206 Partial Content", &content[start..end], more)
        }
        None => ("200 OK", &content[..], String::new()),
    };
    if head.contains("missing") {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok();
    }
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\n{etag}{more}content-length: {length}\r\nconnection: close\r\n\r\n").ok()?;
    if head.starts_with("head") { Some(()) } else { stream.write_all(body).ok() }
}

fn manners(length: usize) -> Manners {
    let content = (0..length).map(|place| (place % 251) as u8).collect();
    Manners {
        content: Arc::new(Mutex::new(content)),
        etag: Some("v"),
        ranges: true,
        fails_every: 0,
        requests: Arc::default(),
    }
}

fn url(origin: &str, name: &str) -> PathBuf {
    PathBuf::from(format!("{origin}/{name}"))
}

#[test]
fn an_object_is_read_in_ranges_and_ahead() {
    let manners = manners(10_000_000);
    let content = manners.content.lock().unwrap().clone();
    let blob = Blob::open(&url(&serve(&manners), "a/b.parquet")).unwrap();
    assert_eq!(blob.length(), 10_000_000);
    assert_eq!(&blob.bytes(9_999_990, 10).unwrap()[..], &content[9_999_990..]);
    assert!(blob.bytes(9_999_990, 11).is_err());
    let before = manners.requests.load(Ordering::Relaxed);
    let mut read = Vec::new();
    blob.reader(5).read_to_end(&mut read).unwrap();
    assert!(read == content[5..]);
    assert_eq!(manners.requests.load(Ordering::Relaxed) - before, 3, "4 MiB per request");
    let mut buffer = [0; 4];
    assert_eq!(blob.read_at(9_999_998, &mut buffer).unwrap(), 2);
    assert_eq!(blob.read_at(10_000_000, &mut buffer).unwrap(), 0);
}

#[test]
fn requests_that_are_dropped_or_refused_are_sent_again() {
    let manners = Manners { fails_every: 4, ..manners(20_000_000) };
    let path = local(&url(&serve(&manners), "x.trec")).unwrap();
    assert!(std::fs::read(path).unwrap() == *manners.content.lock().unwrap());
}

#[test]
fn a_fetched_file_keeps_its_name_and_is_shown_by_its_url() {
    let manners = manners(1000);
    let url = url(&serve(&manners), "folder/run%20a.trec.gz");
    let path = local(&url).unwrap();
    assert!(path.to_string_lossy().ends_with(".trec.gz"), "{}", path.display());
    assert_eq!(Shown(&path).to_string(), url.to_string_lossy());
    assert_eq!(Shown(Path::new("a/b")).to_string(), "a/b");
    let hash = crate::store::sha256_of_bytes(&manners.content.lock().unwrap());
    assert_eq!(crate::store::sha256_of_file(&path).unwrap(), hash);
    assert_eq!(crate::store::sha256_of_file(&url).unwrap(), hash);
    let before = manners.requests.load(Ordering::Relaxed);
    assert_eq!(local(&url).unwrap(), path);
    assert_eq!(manners.requests.load(Ordering::Relaxed), before, "fetched once");
}

#[test]
fn a_server_without_ranges_or_tags_is_read_as_well() {
    for (etag, ranges) in [(None, true), (Some("v"), false), (None, false)] {
        let manners = Manners { etag, ranges, ..manners(300_000) };
        let origin = serve(&manners);
        let path = local(&url(&origin, "x.csv")).unwrap();
        assert!(std::fs::read(path).unwrap() == *manners.content.lock().unwrap(), "{etag:?} {ranges}");
        let blob = Blob::open(&url(&origin, "x.csv")).unwrap();
        assert_eq!(&blob.bytes(250, 3).unwrap()[..], [250, 0, 1]);
    }
}

#[test]
fn an_object_that_changes_while_it_is_read_is_an_error() {
    let manners = manners(100_000);
    let url = url(&serve(&manners), "x.parquet");
    let blob = Blob::open(&url).unwrap();
    assert_eq!(blob.bytes(0, 2).unwrap().len(), 2);
    manners.content.lock().unwrap().push(1);
    let error = blob.bytes(50_000, 2).unwrap_err().to_string();
    assert!(error.contains("changed while it was read") && error.contains("x.parquet"), "{error}");
    assert!(Blob::open(&url).unwrap_err().to_string().contains("changed"));
}

#[test]
fn what_is_missing_or_cannot_be_listed_is_said_with_its_url() {
    let origin = serve(&manners(10));
    let error = local(&url(&origin, "missing.csv")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert!(error.to_string().contains(&format!("`{origin}/missing.csv`: there is no such object")), "{error}");
    let error = fetch_all(&format!("{origin}/*.csv")).unwrap_err().to_string();
    assert!(error.contains("name each file"), "{error}");
    assert!(is_there(&url(&origin, "x")).unwrap());
    assert!(is_there(&url(&origin, "missing")).is_err());
    let error = PathBuf::from("ftp://host/x");
    assert!(Blob::open(&error).unwrap_err().to_string().contains("is not a scheme"));
}

#[test]
fn calls_may_block_on_any_thread() {
    let origin = serve(&manners(1000));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let reads = (0..8).map(|number| {
        let url = url(&origin, &format!("{number}.csv"));
        runtime.spawn(async move { Blob::open(&url).unwrap().bytes(1, 3).unwrap() })
    });
    for read in reads.collect::<Vec<_>>() {
        assert_eq!(&runtime.block_on(read).unwrap()[..], [1, 2, 3]);
    }
}
