//! A real S3 server on loopback, and a bad network before it. Skipped, loudly, where `REMATCH_S3_SERVER` names no server.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::live_servers::free_port;

pub(crate) const BUCKET: &str = "bucket";
const KEY: &str = "the-key";
const SECRET: &str = "the-secret";

/// A server with one empty bucket; it ends with the value.
pub(crate) struct S3Server {
    child: Child,
    folder: TempDir,
    address: String,
}

impl S3Server {
    /// Starts the server that the environment names.
    pub(crate) fn start() -> Option<Self> {
        Self::start_at("127.0.0.1")
    }

    /// Starts it on another address of this machine.
    pub(crate) fn start_at(host: &str) -> Option<Self> {
        let Some(binary) = std::env::var_os("REMATCH_S3_SERVER") else {
            eprintln!("skipped: `REMATCH_S3_SERVER` names no s3s-fs (cargo install s3s-fs --features binary)");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join(BUCKET)).expect("a bucket");
        let port = free_port();
        let child = Command::new(binary)
            .args(["--host", host, "--access-key", KEY, "--secret-key", SECRET, "--port", &port.to_string()])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let address = format!("{host}:{port}");
        let server = Self { child, folder, address };
        for _ in 0..1200 {
            if TcpStream::connect(&server.address).is_ok() {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the server does not listen on {}", server.address);
    }

    /// Puts an object into the bucket and returns its URL.
    pub(crate) fn put(&self, key: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(key);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, content).expect("written");
        url(key)
    }

    /// Returns where the server keeps an object.
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join(key)
    }

    /// Returns the environment in which the bucket can be used.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        self.environment_at(&self.address)
    }

    /// Returns the environment in which the bucket can be used through a [`bad_network`].
    pub(crate) fn environment_of_bad_network(&self) -> Vec<(&'static str, String)> {
        self.environment_at(&bad_network(&self.address))
    }

    fn environment_at(&self, address: &str) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ACCESS_KEY_ID", KEY.into()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.into()),
            ("AWS_ENDPOINT_URL", format!("http://{address}")),
            ("AWS_ALLOW_HTTP", "true".into()),
            ("AWS_REGION", "us-east-1".into()),
        ]
    }
}

/// Returns the URL of a key of the bucket: of this server's, or in a child process of the store's that the test is about.
pub(crate) fn url(key: &str) -> String {
    let root = std::env::var(TEST_ROOT).unwrap_or_else(|_| format!("s3://{BUCKET}"));
    format!("{root}/{key}")
}

/// Names the store that a child process is about.
pub(crate) const TEST_ROOT: &str = "REMATCH_TEST_ROOT";

/// Returns the address behind which a server stands on a network that drops every third connection, refuses every fourth
/// request, and keeps no connection open.
pub(crate) fn bad_network(server: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (address, server) = (listener.local_addr().expect("an address").to_string(), server.to_owned());
    std::thread::spawn(move || {
        for (number, client) in listener.incoming().flatten().enumerate() {
            let server = server.clone();
            std::thread::spawn(move || badly(number, client, &server));
        }
    });
    address
}

fn badly(number: usize, mut client: TcpStream, server: &str) -> Option<()> {
    if number.is_multiple_of(3) {
        return client.shutdown(Shutdown::Both).ok();
    }
    if number % 4 == 1 {
        let _ = client.read(&mut [0; 4096]);
        return client.write_all(b"HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok();
    }
    let server = TcpStream::connect(server).ok()?;
    let (mut from_client, mut to_server) = (client.try_clone().ok()?, server.try_clone().ok()?);
    std::thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
    // What the server says is passed on until it pauses: then the answer is whole, and the connection is cut.
    server.set_read_timeout(Some(Duration::from_millis(500))).ok()?;
    let _ = std::io::copy(&mut &server, &mut client);
    let _ = server.shutdown(Shutdown::Both);
    client.shutdown(Shutdown::Both).ok()
}

impl Drop for S3Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
