//! Other people's search engines on loopback, each in a folder of its own, started for one test and ended with it.
//!
//! A server that is not installed is skipped, loudly, unless `REMATCH_LIVE` (a list of names such as
//! `datasette postgres groonga`) says that it must be there. Programs are looked for where `tests/live/install.sh` puts
//! them, then on the `PATH`.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::rematch::workspace;

/// What the servers search.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Document {
    #[serde(rename = "_id")]
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) text: String,
}

impl Document {
    pub(crate) fn new(id: &str, title: &str, text: &str) -> Self {
        Self { id: id.to_owned(), title: title.to_owned(), text: text.to_owned() }
    }
}

/// A server that ends with the value, and with this process however that ends.
pub(crate) struct LiveServer {
    /// A shell that ends the server as soon as its input closes.
    shell: Child,
    folder: TempDir,
    port: u16,
}

impl LiveServer {
    /// Starts `program` with `arguments` (where `{port}` and `{folder}` are filled in) and waits until it listens.
    /// `signal` is what ends it at once.
    pub(crate) fn start(program: &Path, arguments: &[&str], folder: TempDir, signal: &str) -> Self {
        let port = free_port();
        let place = folder.path().display().to_string();
        let fill = |argument: &&str| argument.replace("{port}", &port.to_string()).replace("{folder}", &place);
        let log = fs::File::create(folder.path().join("server.log")).expect("a log");
        let shell = Command::new("sh")
            .args(["-c", END_WITH_INPUT, signal])
            .arg(program)
            .args(arguments.iter().map(fill))
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("a shell");
        let server = Self { shell, folder, port };
        server.wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        server
    }

    /// Waits until `ready` says so.
    #[track_caller]
    fn wait_until(&self, ready: impl Fn() -> bool) {
        let start = Instant::now();
        while !ready() {
            let log = || fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
            assert!(start.elapsed() < Duration::from_secs(60), "no server on port {}:\n{}", self.port, log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Returns the port that it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// Runs a server beside `cat`, which ends when the server's owner does, whichever way. `$0` is the signal; who does not
/// hear it within ten seconds is killed.
const END_WITH_INPUT: &str = r#"
"$@" </dev/null &
server=$!
cat >/dev/null
kill -"$0" $server
for tenth in $(seq 100); do
    kill -0 $server || exit
    sleep 0.1
done 2>/dev/null
kill -9 $server
"#;

impl Drop for LiveServer {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let start = Instant::now();
        while matches!(self.shell.try_wait(), Ok(None)) && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// Returns a port for a server that cannot be told to find one itself. It is none of those that the system gives out by itself,
/// so that nobody who connects or listens meanwhile gets it, and tests that run side by side begin at different ones.
pub(crate) fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const PORTS: u32 = 12_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(131);
    (0..PORTS)
        .map(|_| FIRST + begin.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % PORTS)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// Returns the program `name` of the server `server`, in one of these places or where the system looks for programs; says
/// that the test is skipped where there is none.
pub(crate) fn program(server: &str, name: &str, places: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = places.iter().cloned().chain(std::env::split_paths(&path)).collect();
    program_in(server, name, &places)
}

/// Returns the program `name` of the server `server` in one of these places and nowhere else.
fn program_in(server: &str, name: &str, places: &[PathBuf]) -> Option<PathBuf> {
    let found = places.iter().map(|place| place.join(name)).find(|program| program.is_file());
    if found.is_none() {
        let required = std::env::var("REMATCH_LIVE").unwrap_or_default();
        assert!(
            !required.split_whitespace().any(|name| name == server),
            "`REMATCH_LIVE` says that {server} is here, but there is no `{name}`; tests/live/install.sh {server}"
        );
        eprintln!("skipped: {server} is not installed (tests/live/install.sh {server})");
    }
    found
}

/// Where `tests/live/install.sh` puts what it installs.
pub(crate) fn installed(folder: &str) -> PathBuf {
    workspace().join("target/live").join(folder)
}

#[track_caller]
pub(crate) fn succeeds(output: std::io::Result<Output>, what: &str) -> String {
    let output = output.unwrap_or_else(|error| panic!("{what}: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}:\n{stdout}\n{stderr}");
    stdout.into_owned()
}

fn json_lines(documents: &[Document]) -> String {
    let line = |document: &Document| serde_json::to_string(document).expect("JSON") + "\n";
    documents.iter().map(line).collect()
}

/// Starts Datasette over the SQLite FTS5 table `docs (id, title, text)` of the database `docs`, stemmed by Porter.
pub(crate) fn start_datasette(documents: &[Document]) -> Option<LiveServer> {
    let datasette = program("datasette", "datasette", &[installed("datasette/bin")])?;
    let folder = tempfile::tempdir().expect("a folder");
    let (lines, database) = (folder.path().join("docs.jsonl"), folder.path().join("docs.db"));
    fs::write(&lines, json_lines(documents)).expect("documents");
    let python = datasette.with_file_name("python");
    let mut index = Command::new(if python.exists() { python } else { "python3".into() });
    index.arg(workspace().join("tests/live/index_sqlite.py")).args([&lines, &database]);
    succeeds(index.output(), "the SQLite index");
    let arguments = ["serve", "{folder}/docs.db", "-h", "127.0.0.1", "-p", "{port}"];
    Some(LiveServer::start(&datasette, &arguments, folder, "INT"))
}

/// Starts Groonga with the table `Docs (_key, title, text)` of the database `db/db`.
pub(crate) fn start_groonga(documents: &[Document]) -> Option<LiveServer> {
    let groonga = program("groonga", "groonga", &[])?;
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("db")).expect("a folder");
    let database = folder.path().join("db/db");
    let mut load = Command::new(&groonga);
    load.arg("-n").arg(&database).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut loading = load.spawn().expect("groonga");
    let mut input = loading.stdin.take().expect("its input");
    let commands = groonga_commands(documents);
    let writer = std::thread::spawn(move || input.write_all(commands.as_bytes()));
    let said = succeeds(loading.wait_with_output(), "loading Groonga");
    writer.join().expect("no panic").expect("the commands are written");
    // Each command is answered by a list that starts with its return code.
    assert!(said.lines().all(|line| line.starts_with("[[0,")), "{said}");
    let arguments = ["-p", "{port}", "--bind-address", "127.0.0.1", "--protocol", "http", "-s", "{folder}/db/db"];
    Some(LiveServer::start(&groonga, &arguments, folder, "TERM"))
}

fn groonga_commands(documents: &[Document]) -> String {
    let row = |document: &Document| {
        serde_json::json!({ "_key": document.id, "title": document.title, "text": document.text }).to_string()
    };
    let rows: Vec<String> = documents.iter().map(row).collect();
    format!(
        "table_create Docs TABLE_HASH_KEY ShortText\n\
         column_create Docs title COLUMN_SCALAR ShortText\n\
         column_create Docs text COLUMN_SCALAR Text\n\
         table_create Terms TABLE_PAT_KEY ShortText --default_tokenizer TokenBigram --normalizer NormalizerAuto\n\
         column_create Terms docs_index COLUMN_INDEX|WITH_POSITION|WITH_SECTION Docs title,text\n\
         load --table Docs\n[{}]\n",
        rows.join(",\n")
    )
}

/// Starts Anserini's REST server over the index `docs` of titles and texts, by Lucene's defaults for English.
pub(crate) fn start_anserini(documents: &[Document]) -> Option<LiveServer> {
    let jar = program("anserini", "anserini.jar", &[installed("anserini")])?.display().to_string();
    let java = installed("anserini/java/bin/java");
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("documents")).expect("a folder");
    let line = |document: &Document| {
        let contents = format!("{}\n{}", document.title, document.text);
        serde_json::json!({ "id": document.id, "contents": contents }).to_string() + "\n"
    };
    let lines: String = documents.iter().map(line).collect();
    fs::write(folder.path().join("documents/docs.jsonl"), lines).expect("documents");
    let mut index = Command::new(&java);
    index.args(["-cp", &jar, "io.anserini.index.IndexCollection", "-collection", "JsonCollection"]);
    index.args(["-generator", "DefaultLuceneDocumentGenerator", "-threads", "1"]);
    index.args(["-input", "documents", "-index", "docs"]).current_dir(folder.path());
    succeeds(index.output(), "the Lucene index");
    // It would listen to everybody without `--host`.
    let serve = ["-Xmx1g", "-cp", &jar, "io.anserini.api.RestServer", "--host", "127.0.0.1", "--port", "{port}"];
    Some(LiveServer::start(&java, &serve, folder, "TERM"))
}

/// A Chroma server with one collection.
pub(crate) struct Chroma {
    pub(crate) server: LiveServer,
    /// The collection's UUID.
    pub(crate) collection: String,
}

/// Starts Chroma with a collection of `vectors` by id, compared by the squared Euclidean distance.
pub(crate) fn start_chroma(vectors: &[(&str, Vec<f32>)]) -> Option<Chroma> {
    let chroma = program("chroma", "chroma", &[installed("chroma/bin")])?;
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = ["run", "--host", "127.0.0.1", "--port", "{port}", "--path", "{folder}/data"];
    let server = LiveServer::start(&chroma, &arguments, folder, "TERM");
    let mut load = Command::new(chroma.with_file_name("python"));
    load.arg(workspace().join("tests/live/load_chroma.py")).arg(server.port().to_string());
    load.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut loading = load.spawn().expect("python");
    let vectors = serde_json::to_vec(vectors).expect("JSON");
    loading.stdin.take().expect("its input").write_all(&vectors).expect("the vectors are written");
    let collection = succeeds(loading.wait_with_output(), "loading Chroma").trim().to_owned();
    Some(Chroma { server, collection })
}

/// A PostgreSQL server whose superuser `postgres` needs no password.
pub(crate) struct Postgres {
    server: LiveServer,
    programs: PathBuf,
}

/// Starts PostgreSQL with an empty database `postgres`.
pub(crate) fn start_postgres() -> Option<Postgres> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let places: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    Some(Postgres::start(&program("postgres", "postgres", &places)?))
}

/// Starts PostgreSQL with the extension `vector` in its database `postgres`.
pub(crate) fn start_pgvector() -> Option<Postgres> {
    let postgres = Postgres::start(&program_in("pgvector", "postgres", &[installed("pgvector/postgres/bin")])?);
    postgres.sql("CREATE EXTENSION vector");
    Some(postgres)
}

impl Postgres {
    fn start(postgres: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("a folder");
        let programs = postgres.parent().expect("a folder").to_owned();
        let user = ordinary_user();
        if let Some((user, group)) = user {
            for path in [folder.path(), &data] {
                std::os::unix::fs::chown(path, Some(user), Some(group)).expect("the folder's owner");
            }
        }
        let mut initdb = as_user(&programs.join("initdb"), user);
        initdb.arg("-D").arg(&data).args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"]);
        succeeds(initdb.current_dir(folder.path()).output(), "initdb");
        let server = as_user(postgres, user);
        let mut arguments: Vec<&str> = server.get_args().map(|argument| argument.to_str().expect("text")).collect();
        arguments.extend(["-D", "{folder}/data", "-p", "{port}", "-c", "listen_addresses=127.0.0.1"]);
        arguments.extend(["-c", "unix_socket_directories=", "-c", "fsync=off"]);
        // Interrupted, it ends at once, with all its processes.
        let server = LiveServer::start(Path::new(server.get_program()), &arguments, folder, "INT");
        let postgres = Self { server, programs };
        postgres.server.wait_until(|| postgres.psql("SELECT 1").is_ok_and(|output| output.status.success()));
        postgres
    }

    /// Returns `postgres://postgres@127.0.0.1:PORT/postgres`.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.server.port)
    }

    /// Runs a script of SQL and returns what it printed, unaligned and without headers.
    #[track_caller]
    pub(crate) fn sql(&self, script: &str) -> String {
        succeeds(self.psql(script), script.lines().next().unwrap_or_default())
    }

    fn psql(&self, script: &str) -> std::io::Result<Output> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-", &self.url()]);
        let mut running = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (mut input, script) = (running.stdin.take().expect("its input"), script.to_owned());
        let writer = std::thread::spawn(move || input.write_all(script.as_bytes()));
        let output = running.wait_with_output();
        // A script that fails is not read to its end.
        let _ = writer.join();
        output
    }

    /// Makes the table `docs (id, title, text, words)`: `words` is the English full text, the title weighing more,
    /// under an index.
    pub(crate) fn load(&self, documents: &[Document]) {
        let field =
            |text: &str| text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r");
        let row = |document: &Document| {
            format!("{}\t{}\t{}\n", field(&document.id), field(&document.title), field(&document.text))
        };
        let rows: String = documents.iter().map(row).collect();
        self.sql(&format!(
            "CREATE TABLE docs (id text PRIMARY KEY, title text, text text);\n\
             COPY docs (id, title, text) FROM STDIN;\n{rows}\\.\n\
             ALTER TABLE docs ADD COLUMN words tsvector GENERATED ALWAYS AS (\n\
               setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', text), 'B')) STORED;\n\
             CREATE INDEX ON docs USING gin (words);\n\
             ANALYZE docs;\n"
        ));
    }
}

/// Returns the user and group that a server runs as which refuses to be run by root; `None` where this process is not
/// root's.
fn ordinary_user() -> Option<(u32, u32)> {
    let root = succeeds(Command::new("id").arg("-u").output(), "id").trim() == "0";
    if !root {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("the users");
    let find = |name: &str| {
        let mut fields = users.lines().find(|line| line.starts_with(&format!("{name}:")))?.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody"))
}

/// Returns a call of `program` as that user.
fn as_user(program: &Path, user: Option<(u32, u32)>) -> Command {
    let Some((user, group)) = user else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups"]).arg(program);
    command
}

#[test]
fn live_servers_start_answer_and_end() {
    let documents =
        [Document::new("a\tb", "red lamp", "with \\ and 'quotes'"), Document::new("c", "mug", "two\nlines")];
    for server in [start_datasette(&documents), start_groonga(&documents)].into_iter().flatten() {
        let (port, shell) = (server.port(), server.shell.id());
        drop(server);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "the server on {port} (shell {shell}) still listens");
    }
    let Some(postgres) = start_postgres() else { return };
    postgres.load(&documents);
    assert_eq!(postgres.sql("SELECT id, length(text) FROM docs ORDER BY title DESC"), "a\tb|19\nc|9\n");
    assert_eq!(postgres.sql("SELECT id FROM docs WHERE words @@ websearch_to_tsquery('english', 'line')"), "c\n");
    let port = postgres.server.port();
    drop(postgres);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "PostgreSQL still listens");
}

#[test]
fn pgvector_orders_by_distance() {
    let Some(postgres) = start_pgvector() else { return };
    postgres.sql("CREATE TABLE items (id text, embedding vector(2))");
    postgres.sql("INSERT INTO items VALUES ('far', '[-1,0]'), ('near', '[1,1]')");
    assert_eq!(postgres.sql("SELECT id FROM items ORDER BY embedding <=> '[1,0]'"), "near\nfar\n");
}
