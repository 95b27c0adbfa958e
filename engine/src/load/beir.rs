//! BEIR: a directory with `queries.jsonl` and `qrels/test.tsv`; one session per judged query.
//!
//! `queries.jsonl` (gzip allowed) has `_id`, `text` and perhaps `metadata`, which becomes the session's inputs. Of the
//! judgments, `test` is read, else `dev`, else `train`; the file may be tab-separated with the header
//! `query-id corpus-id score`, or TREC qrels without one. A directory holds the queries of every split, so a query without
//! a judgment in the one that was read is left out and counted.
//!
//! Not for: the corpus beside them, which retrievers search.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::LoadError;
use super::dirt::{Dirt, DirtKind};
use super::files::{Lines, plain_name};
use super::trec::{Qrels, is_comment, parse_grade};
use crate::session::Session;

const SPLITS: [&str; 4] = ["test", "dev", "validation", "train"];
const QUERIES: [&str; 2] = ["queries.jsonl", "queries.jsonl.gz"];
/// The header line of BEIR judgments.
pub(super) const HEADER: [&str; 3] = ["query-id", "corpus-id", "score"];

/// Returns one session per judged query, in order of the queries, then what is judged without a query.
///
/// # Errors
///
/// Returns [`LoadError::Format`] when the directory lacks queries or judgments, [`LoadError::Io`] when a file cannot be
/// read, [`LoadError::Row`] for a line that cannot be understood and [`LoadError::Duplicate`] for a repeated query id.
pub(super) fn read(directory: &Path, dirt: &mut Dirt) -> Result<Vec<Session>, LoadError> {
    let queries = QUERIES.iter().map(|name| directory.join(name)).find(|path| path.is_file());
    let queries = queries.ok_or_else(|| not_beir(directory, "no `queries.jsonl`"))?;
    let mut qrels = Qrels::default();
    read_qrels(&find_qrels(directory)?, &mut qrels, dirt)?;
    let mut sessions = Vec::new();
    let mut met = std::collections::HashMap::new();
    let mut lines = Lines::open(&queries)?;
    while let Some((row, line)) = lines.next_line()? {
        if line.trim().is_empty() {
            dirt.add(DirtKind::BlankLine);
            continue;
        }
        let session = query(line).map_err(|reason| LoadError::Row { path: queries.clone(), row, reason })?;
        if let Some(first) = met.insert(session.session_id.clone(), row) {
            return Err(LoadError::Duplicate {
                path: queries,
                row,
                what: "query `_id`",
                id: session.session_id,
                first,
            });
        }
        match qrels.take(&session.session_id) {
            Some(judgments) => {
                if session.query.is_none() {
                    dirt.add(DirtKind::EmptyQuery);
                }
                sessions.push(Session { judgments, ..session });
            }
            None => dirt.add(DirtKind::QueryOfOtherSplit),
        }
    }
    for (session_id, judgments) in qrels.into_rest() {
        dirt.add(DirtKind::JudgmentsWithoutTopic);
        sessions.push(Session { session_id, judgments, ..Session::default() });
    }
    Ok(sessions)
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

fn find_qrels(directory: &Path) -> Result<PathBuf, LoadError> {
    let folder = directory.join("qrels");
    let mut found: Vec<PathBuf> = std::fs::read_dir(&folder)
        .map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_file()).collect())
        .unwrap_or_default();
    found.sort();
    let of_split = |split: &str| {
        let matches = |path: &&PathBuf| {
            let name = plain_name(path);
            [".tsv", ".txt", ".qrels"].iter().any(|ending| name.strip_suffix(ending) == Some(split))
        };
        found.iter().find(matches).cloned()
    };
    SPLITS.into_iter().find_map(of_split).ok_or_else(|| {
        let names: Vec<String> =
            found.iter().filter_map(|path| path.file_name()).map(|name| format!("`{}`", name.display())).collect();
        let names = if names.is_empty() { "nothing".into() } else { names.join(", ") };
        not_beir(directory, &format!("no `qrels/test.tsv`, `dev.tsv` or `train.tsv`; `qrels` holds {names}"))
    })
}

fn not_beir(directory: &Path, found: &str) -> LoadError {
    let reason = format!("found {found}; expected a BEIR directory with `queries.jsonl` and `qrels/test.tsv`");
    LoadError::Format { path: directory.to_owned(), reason }
}

fn read_qrels(path: &Path, qrels: &mut Qrels, dirt: &mut Dirt) -> Result<(), LoadError> {
    if !has_header(path)? {
        return qrels.read(path, dirt);
    }
    let mut lines = Lines::open(path)?;
    lines.next_line()?;
    while let Some((row, line)) = lines.next_line()? {
        if line.trim().is_empty() {
            dirt.add(DirtKind::BlankLine);
            continue;
        }
        let error = |reason| LoadError::Row { path: path.to_owned(), row, reason };
        let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
        let [query, document, score] = fields[..] else {
            return Err(error(format!("found {} fields, expected 3: `query-id corpus-id score`", fields.len())));
        };
        if query.is_empty() || document.is_empty() {
            return Err(error("an id is empty, expected `query-id corpus-id score`".into()));
        }
        qrels.add(query, document, parse_grade(score).map_err(error)?, dirt);
    }
    Ok(())
}

fn has_header(path: &Path) -> Result<bool, LoadError> {
    let mut lines = Lines::open(path)?;
    Ok(match lines.next_line()? {
        Some((_, line)) if !is_comment(line) => line.split_ascii_whitespace().eq(HEADER),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::spec::SessionsPath;
    use crate::load::fixture::{Fixture, gzip, read_all};
    use crate::session::Judgment;

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
}
