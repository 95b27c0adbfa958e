//! BEIR: a directory with `queries.jsonl` and `qrels/test.tsv`; one session per judged query.
//!
//! `queries.jsonl` (gzip allowed) has `_id`, `text` and perhaps `metadata`, which becomes the session's inputs. Of the
//! judgments, `test` is read, else `dev`, else `train`; the file may be tab-separated with the header
//! `query-id corpus-id score`, or TREC qrels without one. A directory holds the queries of every split, so a query without
//! a judgment in the one that was read is left out and counted.
//!
//! The directory may be a URL. Of an object store's, what is there is listed; of a web server's, which lists nothing, the names
//! of BEIR are tried in turn. The two files that are read are then fetched.
//!
//! Not for: the corpus beside them, which retrievers search.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::LoadError;
use super::dirt::{Dirt, DirtKind};
use super::files::{Lines, plain_name};
use super::repeats::{Ids, find_repeat};
use super::trec::{Grouping, Qrels, Share, look_at_judgments, settled};
use crate::session::{Judgment, Session};
use crate::storage::{self, is_url};

const SPLITS: [&str; 4] = ["test", "dev", "validation", "train"];
const QUERIES: [&str; 2] = ["queries.jsonl", "queries.jsonl.gz"];

/// One session per judged query, then what is judged without a query.
pub(super) struct BeirSessions {
    queries: PathBuf,
    qrels_path: [PathBuf; 1],
    share: Share,
    stage: Stage,
}

#[expect(clippy::large_enum_variant, reason = "there is one of it per input")]
enum Stage {
    Queries { lines: Lines, qrels: Qrels },
    Rest(Box<dyn Iterator<Item = (String, Vec<Judgment>)> + Send>),
}

impl BeirSessions {
    /// Opens the directory at a path or a URL; a quarter of `memory_bytes` may be taken by judgments, which are read in several passes where
    /// they are more.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Format`] when the directory lacks queries or judgments, [`LoadError::Io`] when a file cannot be
    /// read, [`LoadError::Row`] for a line that cannot be understood and [`LoadError::Duplicate`] for a repeated query id.
    pub(super) fn open(directory: &str, memory_bytes: usize, dirt: &mut Dirt) -> Result<Self, LoadError> {
        let BeirFiles { queries, qrels } = BeirFiles::find(directory)?;
        let qrels_path = [qrels];
        let (of, whole) = match Grouping::of(&qrels_path, memory_bytes / 4, false, dirt)? {
            Grouping::Whole(qrels) => (1, Some(qrels)),
            Grouping::Passes(of) => (of, None),
            Grouping::Streamed => (1, None),
        };
        let share = Share { number: 0, of };
        let qrels = whole.map_or_else(|| Qrels::read(&qrels_path, share, dirt), Ok)?;
        refuse_repeats(&queries)?;
        let lines = Lines::open(&queries)?;
        Ok(Self { queries, qrels_path, share, stage: Stage::Queries { lines, qrels } })
    }

    /// Looks at the first query and the first judgment of a directory of this machine.
    ///
    /// # Errors
    ///
    /// Returns an error that [`BeirSessions::open`] returns too.
    pub(super) fn look(directory: &str) -> Result<(), LoadError> {
        let BeirFiles { queries, qrels } = BeirFiles::find(directory)?;
        look_at_judgments(&qrels)?;
        QueryIds(&queries).visit(&mut |_| false)
    }

    /// Returns the next session, or `None` at the end.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Io`] when a file cannot be read and [`LoadError::Row`] for a line that cannot be understood.
    pub(super) fn next_session(&mut self, dirt: &mut Dirt) -> Result<Option<Session>, LoadError> {
        loop {
            match &mut self.stage {
                Stage::Queries { lines, qrels } => {
                    let Some((row, line)) = lines.next_line()? else {
                        self.stage = Stage::Rest(Box::new(std::mem::take(qrels).into_rest()));
                        continue;
                    };
                    if line.trim().is_empty() {
                        dirt.add_many(DirtKind::BlankLine, u64::from(self.share.number == 0));
                        continue;
                    }
                    let session =
                        query(line).map_err(|reason| LoadError::Row { path: self.queries.clone(), row, reason })?;
                    if !self.share.holds(&session.session_id) {
                        continue;
                    }
                    let Some(judgments) = qrels.take(&session.session_id, dirt) else {
                        dirt.add(DirtKind::QueryOfOtherSplit);
                        continue;
                    };
                    dirt.add_many(DirtKind::EmptyQuery, u64::from(session.query.is_none()));
                    return Ok(Some(Session { judgments, ..session }));
                }
                Stage::Rest(rest) => {
                    if let Some((session_id, judgments)) = rest.next() {
                        dirt.add(DirtKind::JudgmentsWithoutTopic);
                        let judgments = settled(judgments, dirt);
                        return Ok(Some(Session { session_id, judgments, ..Session::default() }));
                    }
                    let Some(share) = self.share.next() else { return Ok(None) };
                    self.share = share;
                    self.stage = Stage::Rest(Box::new(std::iter::empty()));
                    let qrels = Qrels::read(&self.qrels_path, share, dirt)?;
                    self.stage = Stage::Queries { lines: Lines::open(&self.queries)?, qrels };
                }
            }
        }
    }
}

/// The ids of `queries.jsonl`.
struct QueryIds<'a>(&'a Path);

impl Ids for QueryIds<'_> {
    fn visit(&self, visit: &mut dyn FnMut(&str) -> bool) -> Result<(), LoadError> {
        let mut lines = Lines::open(self.0)?;
        while let Some((row, line)) = lines.next_line()? {
            if line.trim().is_empty() {
                continue;
            }
            let session = query(line).map_err(|reason| LoadError::Row { path: self.0.to_owned(), row, reason })?;
            if !visit(&session.session_id) {
                break;
            }
        }
        Ok(())
    }
}

fn refuse_repeats(queries: &Path) -> Result<(), LoadError> {
    let ids = QueryIds(queries);
    let (mut count, mut ascending, mut last) = (0, true, String::new());
    ids.visit(&mut |id| {
        count += 1;
        ascending &= last.as_str() < id;
        id.clone_into(&mut last);
        true
    })?;
    if ascending {
        return Ok(());
    }
    let Some(repeat) = find_repeat(&ids, count)? else { return Ok(()) };
    let (first, row) = (row_of(queries, repeat.first)?, row_of(queries, repeat.second)?);
    Err(LoadError::Duplicate { path: queries.to_owned(), row, what: "query `_id`", id: repeat.id, first })
}

/// Returns the line of the query of that number, counted from 0.
fn row_of(queries: &Path, number: u64) -> Result<u64, LoadError> {
    let mut lines = Lines::open(queries)?;
    let mut before = 0;
    while let Some((row, line)) = lines.next_line()? {
        if line.trim().is_empty() {
            continue;
        }
        if before == number {
            return Ok(row);
        }
        before += 1;
    }
    Ok(0)
}

fn query(line: &str) -> Result<Session, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"))?;
    let session_id = match value.get("_id") {
        Some(Value::String(id)) if !id.is_empty() => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        _ => return Err("no `_id`, expected `{\"_id\": \"...\", \"text\": \"...\"}`".into()),
    };
    let query = match value.get("text") {
        Some(Value::String(text)) => (!text.trim().is_empty()).then(|| text.clone()),
        Some(Value::Null) => None,
        _ => return Err("no `text`, expected `{\"_id\": \"...\", \"text\": \"...\"}`".into()),
    };
    let metadata = value.get("metadata").filter(|metadata| metadata.as_object().is_some_and(|map| !map.is_empty()));
    Ok(Session { session_id, query, inputs: metadata.map(Value::to_string), ..Session::default() })
}

/// The files of a BEIR directory that sessions are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeirFiles {
    /// The queries.
    pub queries: PathBuf,
    /// The judgments of the split that is read.
    pub qrels: PathBuf,
}

impl BeirFiles {
    /// Finds the files below a path or a URL. Those of a URL are fetched.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Format`] when the directory lacks queries or judgments, and [`LoadError::Io`] when a store or a
    /// server cannot be asked.
    pub fn find(directory: &str) -> Result<Self, LoadError> {
        if is_url(directory) {
            return Self::find_behind(directory.trim_end_matches('/'));
        }
        let directory = Path::new(directory);
        let queries = QUERIES.iter().map(|name| directory.join(name)).find(|path| path.is_file());
        let queries = queries.ok_or_else(|| not_beir(directory, "no `queries.jsonl`"))?;
        let folder = directory.join("qrels");
        let mut found: Vec<PathBuf> = std::fs::read_dir(&folder)
            .map(|entries| {
                entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_file()).collect()
            })
            .unwrap_or_default();
        found.sort();
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let names: Vec<String> = found.iter().map(|path| name(path)).collect();
        let qrels = of_first_split(&names).map_err(|found| not_beir(directory, &found))?;
        Ok(Self { queries, qrels: folder.join(qrels) })
    }

    fn find_behind(url: &str) -> Result<Self, LoadError> {
        let failed = |source| LoadError::Io { path: url.into(), source };
        let lacks = |found: &str| not_beir(Path::new(url), found);
        let fetched = |name: &str| -> Result<PathBuf, LoadError> {
            let url = format!("{url}/{name}");
            storage::local(Path::new(&url)).map_err(|source| LoadError::Io { path: url.into(), source })
        };
        match storage::names_below(url).map_err(failed)? {
            Some(names) => {
                let queries = QUERIES.iter().find(|query| names.iter().any(|name| name == *query));
                let queries = queries.ok_or_else(|| lacks(&format!("no `{url}/queries.jsonl`")))?;
                let in_qrels =
                    |name: &String| name.strip_prefix("qrels/").filter(|name| !name.contains('/')).map(str::to_owned);
                let judgments: Vec<String> = names.iter().filter_map(in_qrels).collect();
                let qrels = of_first_split(&judgments).map_err(|found| lacks(&found))?;
                Ok(Self { queries: fetched(queries)?, qrels: fetched(&format!("qrels/{qrels}"))? })
            }
            None => {
                let first = |names: &[String]| -> Result<Option<PathBuf>, LoadError> {
                    for name in names {
                        if storage::is_found(Path::new(&format!("{url}/{name}"))).map_err(failed)? {
                            return fetched(name).map(Some);
                        }
                    }
                    Ok(None)
                };
                let queries = first(&QUERIES.map(str::to_owned))?;
                let queries = queries.ok_or_else(|| lacks(&format!("no `{url}/queries.jsonl`")))?;
                let of_split = |split: &str| format!("qrels/{split}.tsv");
                let names: Vec<String> = SPLITS.into_iter().map(of_split).collect();
                let qrels = first(&names)?.ok_or_else(|| {
                    let tried: Vec<String> = names.iter().map(|name| format!("`{url}/{name}`")).collect();
                    lacks(&format!("none of {}", tried.join(", ")))
                })?;
                Ok(Self { queries, qrels })
            }
        }
    }
}

/// Returns the file of the first split that is there, or what was found instead.
fn of_first_split(names: &[String]) -> Result<&str, String> {
    let of_split = |split: &str| {
        let matches = |name: &&String| {
            let name = plain_name(Path::new(name.as_str()));
            [".tsv", ".txt", ".qrels"].iter().any(|ending| name.strip_suffix(ending) == Some(split))
        };
        names.iter().find(matches).map(String::as_str)
    };
    SPLITS.into_iter().find_map(of_split).ok_or_else(|| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let names = if names.is_empty() { "nothing".into() } else { names.join(", ") };
        format!("no `qrels/test.tsv`, `dev.tsv` or `train.tsv`; `qrels` holds {names}")
    })
}

fn not_beir(directory: &Path, found: &str) -> LoadError {
    let reason = format!("found {found}; expected a BEIR directory with `queries.jsonl` and `qrels/test.tsv`");
    LoadError::Format { path: directory.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::spec::SessionsPath;
    use crate::load::fixture::{Fixture, gzip, read_all};

    const QUERY_LINES: &str = "{\"_id\":\"q1\",\"text\":\"one\",\"metadata\":{\"lang\":\"en\"}}\n\
                               {\"_id\":\"q2\",\"text\":\"two\",\"metadata\":{}}\n{\"_id\":3,\"text\":\"\"}\n";
    const HEADER_LINE: &str = "query-id\tcorpus-id\tscore\n";

    fn beir(fixture: &Fixture) -> SessionsPath {
        SessionsPath::Beir(fixture.folder().display().to_string())
    }

    #[test]
    fn judged_queries_become_sessions() {
        let fixture = Fixture::new();
        fixture.write("queries.jsonl.gz", gzip(QUERY_LINES));
        fixture.write("qrels/train.tsv", format!("{HEADER_LINE}q2\td9\t1\n"));
        fixture.write("qrels/test.tsv", format!("{HEADER_LINE}3\td3\t1\nq1\td1\t2\nq1\td2\t0\nq9\td1\t1\n"));
        let (sessions, dirt) = read_all(&beir(&fixture));
        let sessions = sessions.expect("sessions");
        let ids: Vec<&str> = sessions.iter().map(|session| session.session_id.as_str()).collect();
        assert_eq!(ids, ["q1", "3", "q9"]);
        assert_eq!(sessions[0].inputs.as_deref(), Some("{\"lang\":\"en\"}"));
        let judgment = |item: &str, grade| Judgment { item_id: item.into(), grade };
        assert_eq!(sessions[0].judgments, [judgment("d1", 2.0), judgment("d2", 0.0)]);
        for kind in [DirtKind::QueryOfOtherSplit, DirtKind::EmptyQuery, DirtKind::JudgmentsWithoutTopic] {
            assert_eq!(dirt.count(kind), 1, "{kind}");
        }
    }

    #[test]
    fn judgments_may_be_headerless_trec() {
        let fixture = Fixture::new();
        fixture.write("queries.jsonl", QUERY_LINES);
        fixture.write("qrels/dev.txt", "q2 0 d1 1\n");
        let sessions = read_all(&beir(&fixture)).0.expect("sessions");
        assert_eq!((sessions.len(), sessions[0].session_id.as_str()), (1, "q2"));
    }

    #[test]
    fn what_is_missing_is_said() {
        let fixture = Fixture::new();
        let message = || read_all(&beir(&fixture)).0.expect_err("an error").to_string();
        assert!(message().contains("no `queries.jsonl`"));
        fixture.write("queries.jsonl", QUERY_LINES);
        assert!(message().contains("`qrels` holds nothing"));
        fixture.write("qrels/other.tsv", HEADER_LINE);
        assert!(message().contains("`qrels` holds `other.tsv`"));
        fixture.write("qrels/test.tsv", format!("{HEADER_LINE}q1\td1\t0.5\n"));
        assert!(message().contains("row 2: grade `0.5`, expected a whole number"));
        fixture.write("qrels/test.tsv", format!("{HEADER_LINE}q1\td1\t1\n"));
        fixture.write("queries.jsonl", "{\"_id\":\"q1\",\"text\":\"a\"}\n{\"_id\":\"q1\",\"text\":\"b\"}\n");
        assert!(message().contains("row 2: duplicate query `_id` `q1`, first seen in row 1"));
        fixture.write("queries.jsonl", "{\"id\":\"q1\",\"text\":\"a\"}\n");
        assert!(message().contains("row 1: no `_id`"));
    }

    /// Returns the URL of a directory in a store of this process's memory.
    fn in_a_store(name: &str, objects: &[(&str, &str)]) -> String {
        use object_store::ObjectStoreExt as _;

        let store = std::sync::Arc::new(object_store::memory::InMemory::new());
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        for (key, content) in objects {
            let key = object_store::path::Path::from(format!("data/{key}"));
            runtime.block_on(store.put(&key, content.to_string().into())).expect("put");
        }
        storage::know(&format!("s3://{name}"), store);
        format!("s3://{name}/data/")
    }

    #[test]
    fn a_directory_in_a_store_is_read_as_one_of_this_machine() {
        let qrels = format!("{HEADER_LINE}3\td3\t1\nq1\td1\t2\n");
        let url = in_a_store(
            "beir-whole",
            &[
                ("corpus.jsonl", "{}"),
                ("queries.jsonl", QUERY_LINES),
                ("qrels/train.tsv", HEADER_LINE),
                ("qrels/test.tsv", &qrels),
                ("qrels/deeper/test.tsv", "no"),
            ],
        );
        let fixture = Fixture::new();
        fixture.write("queries.jsonl", QUERY_LINES);
        fixture.write("qrels/test.tsv", qrels);
        let (there, dirt) = read_all(&SessionsPath::Beir(url));
        let (here, of_here) = read_all(&beir(&fixture));
        assert_eq!(there.expect("sessions"), here.expect("sessions"));
        assert_eq!(dirt, of_here);
    }

    #[test]
    fn an_object_that_is_missing_is_named() {
        let message = |url: &str| read_all(&SessionsPath::Beir(url.into())).0.expect_err("an error").to_string();
        let url = in_a_store("beir-empty", &[("corpus.jsonl", "{}")]);
        assert!(message(&url).contains("no `s3://beir-empty/data/queries.jsonl`"), "{}", message(&url));
        let url = in_a_store("beir-half", &[("queries.jsonl", QUERY_LINES), ("qrels/other.tsv", "")]);
        assert!(message(&url).contains("`qrels` holds `other.tsv`"), "{}", message(&url));
    }
}
