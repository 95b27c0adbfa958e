//! A program that a tenant brought: a shell script or a Python file that scores a scenario. The operator has to allow these.
//!
//! It runs in a fresh folder that is removed afterwards, which is all of the organisation's files that it sees; without a
//! network, in namespaces of its own; as nobody where the server is root; under limits of memory, processor time, file size
//! and processes; and until its time is over, when all that it started is killed. Where this machine cannot cut the network or
//! confine files, the program is not run.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Component, Path};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::confine::{Confinement, Ground, confine};
use super::{Failure, Limits, Task, limits, sockets};

/// A program to run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NativeScorerOrder {
    /// The program and its arguments. One without a slash is looked up in the system's folders of programs.
    pub program: Vec<String>,
    /// Files of the folder that it runs in: relative path and content.
    pub files: Vec<(String, String)>,
    /// Its environment, besides `PATH`, `HOME`, `TMPDIR` and `LANG`.
    pub environment: BTreeMap<String, String>,
    /// How long it may run, seconds.
    pub timeout_seconds: u64,
}

/// Bytes of what it writes that are kept, of stdout and stderr each.
const OUTPUT_BYTES: u64 = 64 << 10;

/// Memory that each of its processes may write to, bytes.
const MEMORY_BYTES: u64 = 1 << 30;

/// Bytes of a file that it writes.
const FILE_BYTES: u64 = 64 << 20;

/// Its processes and threads.
const PROCESSES: u64 = 128;

/// Open files of each of its processes.
const OPEN_FILES: u64 = 256;

/// Who runs it where the server is root, on whom the limit on processes has no hold: `nobody`, as in [`AS_NOBODY`].
const NOBODY: u32 = 65_534;

/// How often it is looked at.
const POLL: Duration = Duration::from_millis(5);

/// How long what it wrote may take to arrive when it has ended.
const LAST_WORDS: Duration = Duration::from_secs(30);

/// How long a program that does nothing may take; a machine on which it takes longer is too busy for others.
const PROBE: Duration = Duration::from_secs(60);

const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Namespaces of its own for network, processes, and messages between them. Who is left when the first process ends is killed
/// by the kernel, whatever it calls itself and whichever group it is in; and that one ends with whoever made the namespaces.
const UNSHARE: [&str; 6] = ["--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child=KILL"];

/// Who may make namespaces only as the root of a namespace of users makes that first.
const AS_USER: [&str; 1] = ["--map-current-user"];

/// Root stays the first process of the namespace, since the signal at its maker's death is lost on the way to another user; the
/// program is nobody.
const AS_NOBODY: [&str; 9] = [
    "sh",
    "-c",
    "\"$@\" & wait $!",
    "sh",
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--no-new-privs",
];

/// Runs it.
pub(super) fn run(task: &Task, order: &NativeScorerOrder) -> Result<Value, Failure> {
    check(order)?;
    // The server made the folder of temporary files for this process, and removes it after it.
    let folder = std::env::temp_dir().join("scorer");
    std::fs::create_dir(&folder).map_err(internal)?;
    write_files(&folder, &order.files)?;
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        open_to_nobody(&folder).map_err(internal)?;
    }
    limits::set(&within(&task.limits, order)).map_err(internal)?;
    // Its own folder is all that it, and this process from here on, may touch.
    let confined =
        confine(&Ground { runs_own_files: true, maps_users: !is_root, ..Ground::folder(&folder) }).map_err(internal)?;
    if confined == Confinement::None {
        let message = "programs of others are not run here: this system's kernel cannot confine them to a folder (it has no \
                       Landlock); a component scores anywhere";
        return Err(Failure::new("unsupported", message));
    }
    std::env::set_current_dir(&folder).map_err(internal)?;
    if let Err(error) = sockets::refuse() {
        let message = format!("programs of others are not run here: this kernel filters no system calls ({error})");
        return Err(Failure::new("unsupported", message));
    }
    check_isolation(is_root)?;
    let child = isolated(is_root, &order.program, &folder, &order.environment).map_err(not_started)?;
    let ended = watch(child, Duration::from_secs(order.timeout_seconds.max(1))).map_err(internal)?;
    Ok(json!({
        "exit_code": ended.status.and_then(|status| status.code()),
        "stdout": ended.stdout,
        "stderr": ended.stderr,
        "timed_out": ended.status.is_none(),
    }))
}

fn internal(error: impl ToString) -> Failure {
    Failure::new("internal", error)
}

fn not_started(error: io::Error) -> Failure {
    let message = format!(
        "programs of others are not run here: `unshare` of util-linux, by which they get no network, cannot be started \
         ({error})"
    );
    Failure::new("unsupported", message)
}

fn check(order: &NativeScorerOrder) -> Result<(), Failure> {
    let wrong = |message: String| Err(Failure::new("invalid_scorer", message));
    match order.program.first() {
        None => return wrong("no program is named".to_owned()),
        // `env` would take it for a variable.
        Some(program) if program.is_empty() || program.contains('=') || program.starts_with('-') => {
            return wrong(format!("`{program}` is not the name of a program"));
        }
        Some(_) => {}
    }
    let is_name = |name: &str| {
        let mut letters = name.chars();
        letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    if let Some(name) = order.environment.keys().find(|name| !is_name(name)) {
        return wrong(format!("`{name}` is not the name of an environment variable"));
    }
    let texts = order.program.iter().chain(order.environment.values());
    if texts.clone().any(|text| text.contains('\0')) {
        return wrong("an argument or a variable holds a NUL".to_owned());
    }
    let stays = |name: &str| {
        let mut parts = Path::new(name).components();
        !name.is_empty() && !name.contains('\0') && parts.all(|part| matches!(part, Component::Normal(_)))
    };
    match order.files.iter().find(|(name, _)| !stays(name)) {
        Some((name, _)) => wrong(format!("`{name}` is not a path inside of the program's folder")),
        None => Ok(()),
    }
}

fn write_files(folder: &Path, files: &[(String, String)]) -> Result<(), Failure> {
    for (name, content) in files {
        let path = folder.join(name);
        let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
            std::fs::write(&path, content)?;
            std::fs::set_permissions(&path, Permissions::from_mode(0o755))
        });
        written.map_err(|error| Failure::new("invalid_scorer", format!("`{name}` cannot be written: {error}")))?;
    }
    Ok(())
}

/// Hands the folder to nobody, who can go through the one around it.
fn open_to_nobody(folder: &Path) -> io::Result<()> {
    hand_over(folder)?;
    match folder.parent() {
        // To go through, not to look around.
        Some(parent) => std::fs::set_permissions(parent, Permissions::from_mode(0o711)),
        None => Ok(()),
    }
}

fn hand_over(path: &Path) -> io::Result<()> {
    chown(path, Some(NOBODY), Some(NOBODY))?;
    if path.symlink_metadata()?.is_dir() {
        for entry in path.read_dir()? {
            hand_over(&entry?.path())?;
        }
    }
    Ok(())
}

fn within(limits: &Limits, order: &NativeScorerOrder) -> Limits {
    Limits {
        memory_bytes: limits.memory_bytes.min(MEMORY_BYTES),
        // Several processes work side by side, each with a count of its own; the clock ends them all.
        cpu_seconds: limits.cpu_seconds.min(order.timeout_seconds.saturating_add(1)),
        file_bytes: limits.file_bytes.min(FILE_BYTES),
        open_files: limits.open_files.min(OPEN_FILES),
        processes: processes_now().saturating_add(PROCESSES),
    }
}

/// Returns the threads that count against this user's limit already; none where the program gets a user of its own.
fn processes_now() -> u64 {
    if rustix::process::geteuid().is_root() {
        return 0;
    }
    let me = rustix::process::geteuid().as_raw().to_string();
    let field = |status: &str, name: &str| {
        status.lines().find_map(|line| Some(line.strip_prefix(name)?.split_whitespace().next()?.to_owned()))
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let statuses = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("status")).ok());
    let mine = statuses.filter(|status| field(status, "Uid:").is_some_and(|uid| uid == me));
    mine.filter_map(|status| field(&status, "Threads:")?.parse::<u64>().ok()).sum()
}

/// Runs nothing, isolated: whether that can be done is not to be told from how a stranger's program ends.
fn check_isolation(is_root: bool) -> Result<(), Failure> {
    let nothing = ["true".to_owned()];
    let probe = isolated(is_root, &nothing, Path::new("."), &BTreeMap::new()).map_err(not_started)?;
    let ended = watch(probe, PROBE).map_err(internal)?;
    if ended.status.is_some_and(|status| status.success()) {
        return Ok(());
    }
    let said = ended.stderr.lines().next().unwrap_or("it did not end").to_owned();
    let message = format!(
        "programs of others are not run here: this system cannot cut their network ({said}); it must allow namespaces and \
         have `unshare` and `setpriv` of util-linux 2.38 or later"
    );
    Err(Failure::new("unsupported", message))
}

/// Starts a program without a network, in the present folder.
fn isolated(
    is_root: bool,
    program: &[String],
    home: &Path,
    environment: &BTreeMap<String, String>,
) -> io::Result<Child> {
    let home = home.display();
    let usual = [format!("PATH={PATH}"), format!("HOME={home}"), format!("TMPDIR={home}"), "LANG=C.UTF-8".to_owned()];
    let mut command = Command::new("unshare");
    // The variables are set inside: none of them means anything to whoever cuts the network.
    command
        .env_clear()
        .env("PATH", PATH)
        .args(if is_root { &[][..] } else { &AS_USER[..] })
        .args(UNSHARE)
        .args(if is_root { &AS_NOBODY[..] } else { &[][..] })
        .args(["env", "-i"])
        .args(usual)
        .args(environment.iter().map(|(name, value)| format!("{name}={value}")))
        .args(program)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn()
}

/// How a program ended, and what it wrote.
struct Ended {
    /// `None` when its time was over.
    status: Option<ExitStatus>,
    stdout: String,
    stderr: String,
}

fn watch(mut child: Child, time: Duration) -> io::Result<Ended> {
    let begun = Instant::now();
    let (stdout, stderr) = (read(child.stdout.take()), read(child.stderr.take()));
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begun.elapsed() >= time {
            // The first process of its namespace dies with it, and all others with that one.
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(POLL);
    };
    Ok(Ended { status, stdout: text(stdout), stderr: text(stderr) })
}

/// Reads to the end, and keeps the beginning: a full pipe would stop the program.
fn read(pipe: Option<impl Read + Send + 'static>) -> Option<JoinHandle<Vec<u8>>> {
    let mut pipe = pipe?;
    Some(thread::spawn(move || {
        let mut kept = Vec::new();
        let _ = (&mut pipe).take(OUTPUT_BYTES).read_to_end(&mut kept);
        let _ = io::copy(&mut pipe, &mut io::sink());
        kept
    }))
}

fn text(reading: Option<JoinHandle<Vec<u8>>>) -> String {
    let Some(reading) = reading else { return String::new() };
    let begun = Instant::now();
    while !reading.is_finished() && begun.elapsed() < LAST_WORDS {
        thread::sleep(POLL);
    }
    // All writers are dead by now; should one not be, this process ends soon, and its threads with it.
    let kept = if reading.is_finished() { reading.join().unwrap_or_default() } else { Vec::new() };
    String::from_utf8_lossy(&kept).into_owned()
}
