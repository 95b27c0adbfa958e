//! A Postgres server of a test's own, on a free port of the loopback interface, gone with the test.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running server. Its superuser is `postgres`, without a password over the loopback interface, except for the role
/// `secured`.
pub(super) struct Server {
    pub(super) port: u16,
    process: Child,
    folder: TempDir,
}

/// Returns a port that is free, and that no connection of anybody gets by itself until the server takes it.
fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 8_000).unwrap();
    let mut ports = (0..8_000).map(|_| 12_000 + (first + TAKEN.fetch_add(1, Ordering::Relaxed)) % 8_000);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

impl Server {
    /// Returns the folder of the programs of the newest Postgres that is installed.
    pub(super) fn installed() -> Option<PathBuf> {
        let mut folders: Vec<PathBuf> = glob::glob("/usr/lib/postgresql/*/bin").ok()?.flatten().collect();
        folders.retain(|folder| folder.join("postgres").is_file() && folder.join("initdb").is_file());
        folders.sort();
        folders.pop()
    }

    /// Starts a server with more lines for its configuration.
    pub(super) fn start(programs: &Path, settings: &str, prepare: impl FnOnce(&Path)) -> Self {
        let folder = TempDir::new().unwrap();
        // Postgres refuses to run as root, and its own user must get in.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let data = folder.path().join("data");
        let made = as_postgres(programs, "initdb")
            .args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        prepare(&data);
        let access = "host all secured 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";
        std::fs::write(data.join("pg_hba.conf"), access).unwrap();
        let port = free_port();
        let basic = format!(
            "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\nshared_buffers = 16MB\n{settings}"
        );
        std::fs::write(data.join("postgresql.conf"), basic).unwrap();
        let mut process = as_postgres(programs, "postgres")
            .arg("-D")
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let started = Instant::now();
        let ready = lines.by_ref().map_while(Result::ok).any(|line| line.contains("ready to accept connections"));
        assert!(ready && started.elapsed() < Duration::from_secs(60), "the server did not start");
        // Nobody else reads what it says, and a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { port, process, folder }
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Runs statements as the superuser.
    pub(super) fn run(&self, statements: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.url(), tokio_postgres::NoTls).await.unwrap();
            let connection = tokio::spawn(connection);
            client.batch_execute(statements).await.unwrap();
            drop(client);
            connection.await.unwrap().unwrap();
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The signal for a fast end, which closes connections.
        let pid = self.process.id().to_string();
        let _ = Command::new("kill").args(["-INT", &pid]).status();
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline && matches!(self.process.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(self.folder.path());
    }
}

/// Returns a command of Postgres; where this is root, it runs as somebody else, and ends when this thread does.
fn as_postgres(programs: &Path, name: &str) -> Command {
    let mut command = if rustix::process::geteuid().is_root() {
        let user = if Command::new("id").arg("postgres").output().is_ok_and(|found| found.status.success()) {
            "postgres"
        } else {
            "nobody"
        };
        let mut command = Command::new("setpriv");
        let group = if user == "nobody" { "nogroup" } else { user };
        command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--clear-groups");
        command.args(["--pdeathsig", "KILL"]).arg(programs.join(name));
        command
    } else {
        Command::new(programs.join(name))
    };
    command.current_dir("/").env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin");
    command
}
