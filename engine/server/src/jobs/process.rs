//! The process of a worker: started with nothing of ours, read in bounded pieces, and ended with all that it started.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use close_fds::CloseFdsBuilder;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

use crate::worker::WORKER_COMMAND;

/// Bytes of a worker's line. Answers to requests are half as long; a worker that was taken over must not fill our memory.
pub(super) const LINE_BYTES: usize = 32 << 20;

/// Bytes of what a worker writes to stderr that are kept for the log.
const LOG_BYTES: u64 = 64 << 10;

/// The first descriptor after stdin, stdout and stderr.
const FIRST_OTHER: i32 = 3;

/// How long the last words of a dead worker may take to arrive: what it started may hold its stderr.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The folder of temporary files in an organisation's folder.
const TEMPORARY: &str = "tmp";

/// What of our environment a worker needs to trust the hosts that we trust.
const KEPT_VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// A worker's process. Dropped, it is killed with all processes of its group.
pub(super) struct Process {
    child: Child,
    group: Option<Pid>,
    lines: Lines,
    log: JoinHandle<String>,
    /// Where its temporary files lie; removed after it.
    _temporary: TempDir,
}

impl Process {
    /// Starts a worker in the organisation's folder `root`. Its temporary files lie there too, or `elsewhere`.
    pub(super) fn start(program: &Path, root: &Path, elsewhere: Option<&Path>) -> io::Result<Self> {
        // What we opened ourselves is closed in children anyway; what somebody else left open for us is not.
        CloseFdsBuilder::new().threadsafe(true).cloexecfrom(FIRST_OTHER);
        let folder = elsewhere.map_or_else(|| root.join(TEMPORARY), Path::to_owned);
        std::fs::create_dir_all(&folder)?;
        let temporary = tempfile::Builder::new().prefix("rematch-worker-").tempdir_in(&folder)?;
        let kept = KEPT_VARIABLES.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
        let mut child = Command::new(program)
            .arg(WORKER_COMMAND)
            .env_clear()
            .envs(kept)
            .env("TMPDIR", temporary.path())
            .current_dir(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("a worker has no stdout"))?;
        let log = tokio::spawn(log_of(child.stderr.take()));
        Ok(Self { child, group, lines: Lines::of(stdout), log, _temporary: temporary })
    }

    /// Hands over what it is told, all that it will ever read.
    pub(super) async fn tell(&mut self, told: &[u8]) {
        if let Some(mut stdin) = self.child.stdin.take() {
            // It may be dead already; its silence tells that.
            let _ = stdin.write_all(told).await;
        }
    }

    /// Returns its next line, `None` at its end. Nothing is lost when this is dropped and called again.
    ///
    /// # Errors
    ///
    /// Returns an error for a line of more than [`LINE_BYTES`].
    pub(super) async fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.lines.next().await
    }

    /// Asks it to end by itself.
    pub(super) fn ask_to_stop(&self) {
        if let Some(pid) = self.group.filter(|_| self.child.id().is_some()) {
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Kills it, and all of its group: compilers that it started, say.
    pub(super) fn kill(&self) {
        // As long as nobody waited for the leader, its number names no other group.
        if let Some(group) = self.group.filter(|_| self.child.id().is_some()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Waits for the end of a process that ends, or was killed, and returns how it ended and what it said on stderr. What it
    /// started is killed.
    pub(super) async fn end(mut self) -> io::Result<(ExitStatus, String)> {
        // Whoever closed its stdout has said all; how it ends is decided by then.
        self.kill();
        let status = self.child.wait().await?;
        let log = tokio::time::timeout(LAST_WORDS, &mut self.log).await;
        Ok((status, log.map(Result::unwrap_or_default).unwrap_or_default()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        self.log.abort();
    }
}

/// The folder in which workers of earlier versions had what their searches needed.
const SCRATCH: &str = "scratch";

/// Removes what workers left behind that were killed with their server.
pub(crate) fn remove_leftovers(organisations: &Path) {
    let folders = std::fs::read_dir(organisations).into_iter().flatten().flatten();
    for folder in folders {
        // Best effort: a leftover costs room and nothing else.
        for left in [TEMPORARY, SCRATCH] {
            let _ = std::fs::remove_dir_all(folder.path().join(left));
        }
    }
}

/// Lines of bounded length.
struct Lines {
    reader: BufReader<ChildStdout>,
    line: Vec<u8>,
}

impl Lines {
    fn of(stdout: ChildStdout) -> Self {
        Self { reader: BufReader::new(stdout), line: Vec::new() }
    }

    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let piece = self.reader.fill_buf().await?;
            if piece.is_empty() {
                return Ok(None);
            }
            let end = piece.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(piece.len());
            if self.line.len() + taken > LINE_BYTES {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line without an end"));
            }
            self.line.extend_from_slice(piece.get(..taken).unwrap_or_default());
            self.reader.consume(end.map_or(taken, |end| end + 1));
            if end.is_some() {
                return Ok(Some(std::mem::take(&mut self.line)));
            }
        }
    }
}

async fn log_of(stderr: Option<tokio::process::ChildStderr>) -> String {
    let Some(mut stderr) = stderr else { return String::new() };
    let mut kept = Vec::new();
    let _ = (&mut stderr).take(LOG_BYTES).read_to_end(&mut kept).await;
    // The rest is read and dropped: a full pipe would stop the worker.
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::script;
    use super::*;

    /// A worker that is a script.
    fn start(text: &str) -> (TempDir, Process) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("worker.sh");
        script::write(&program, &format!("#!/bin/sh\n{text}\n"));
        let process = Process::start(&program, folder.path(), None).unwrap();
        (folder, process)
    }

    async fn lines(process: &mut Process) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = process.next_line().await.unwrap() {
            lines.push(String::from_utf8(line).unwrap());
        }
        lines
    }

    #[tokio::test]
    async fn a_worker_gets_nothing_but_what_it_is_told() {
        let script = "for fd in /proc/$$/fd/*; do readlink $fd; done; echo --; env | cut -d= -f1 | sort; cat; echo; pwd; ls -d \"$TMPDIR\"";
        let (_folder, mut process) = start(script);
        process.tell(b"told").await;
        let said = lines(&mut process).await;
        let (open, rest) = said.split_at(said.iter().position(|line| line == "--").unwrap());
        // The shell itself has the script open.
        let others = open.iter().filter(|target| !target.starts_with("pipe:") && !target.ends_with("/worker.sh"));
        assert_eq!(
            (others.count(), open.iter().filter(|target| target.starts_with("pipe:")).count()),
            (0, 3),
            "{open:?}"
        );
        let rest = rest.get(1..).unwrap().join(" ");
        let ours: Vec<&str> = rest.split(" told").next().unwrap().split(' ').collect();
        let known = ["PWD", "TMPDIR", "SHLVL", "_", "OLDPWD", "SSL_CERT_FILE", "SSL_CERT_DIR"];
        assert!(ours.iter().all(|name| known.contains(name)), "{ours:?}");
        assert!(rest.contains("/tmp/rematch-worker-"), "{rest}");
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_not_kept_in_memory() {
        let (_folder, mut process) = start("yes | tr -d '\\n'");
        let error = process.next_line().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(process.lines.line.len() <= LINE_BYTES);
        process.end().await.unwrap();
    }

    #[tokio::test]
    async fn a_flood_on_stderr_is_read_to_its_end_and_kept_in_part() {
        let (_folder, mut process) = start("yes flood | head -c 3000000 >&2; echo done");
        assert_eq!(lines(&mut process).await, ["done"]);
        let (status, log) = process.end().await.unwrap();
        assert!(!status.success() || log.len() <= LOG_BYTES as usize);
        assert!(log.starts_with("flood") && log.len() as u64 <= LOG_BYTES, "{}", log.len());
    }

    #[tokio::test]
    async fn whatever_a_worker_started_ends_with_it() {
        let (folder, mut process) = start("sleep 300 & echo $!; wait");
        let grandchild = String::from_utf8(process.next_line().await.unwrap().unwrap()).unwrap();
        let is_there =
            || std::fs::read_to_string(format!("/proc/{grandchild}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
        assert!(is_there());
        process.kill();
        let begun = Instant::now();
        let (status, _) = process.end().await.unwrap();
        assert!(!status.success());
        while is_there() {
            assert!(begun.elapsed() < Duration::from_secs(60), "the grandchild lives");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(
            std::fs::read_dir(folder.path().join(TEMPORARY)).unwrap().count(),
            0,
            "its temporary files are gone"
        );
    }

    #[tokio::test]
    async fn a_worker_that_is_dropped_is_killed_with_its_group() {
        let (_folder, mut process) = start("sleep 300 & echo $!; wait");
        let grandchild = String::from_utf8(process.next_line().await.unwrap().unwrap()).unwrap();
        drop(process);
        let begun = Instant::now();
        while std::fs::read_to_string(format!("/proc/{grandchild}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(begun.elapsed() < Duration::from_secs(60), "the grandchild lives");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
