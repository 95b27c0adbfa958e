//! `rematch import`.

use rematch_engine::benchmark::spec::{SessionsPath, TrecSpec, UbiSpec};
use rematch_engine::load::{self, SessionReader};

use super::{print, print_json};
use crate::arguments::ImportArguments;
use crate::exit::{Exit, Failure};

/// Turns sessions of any layout into native Parquet.
pub(crate) fn import(arguments: ImportArguments) -> Result<Exit, Failure> {
    let out = arguments.out.clone();
    let json = arguments.json;
    let reader = SessionReader::open(&layout(arguments), None)?;
    let summary = load::import(reader, &out)?;
    if json {
        print_json(&summary)?;
        return Ok(Exit::Done);
    }
    let mut text = format!(
        "{}: {} sessions, {} interactions, {} judgments\n",
        out.display(),
        summary.sessions,
        summary.interactions,
        summary.judgments
    );
    for (kind, count) in summary.dirt.iter() {
        text += &format!("  {count:>8}  {}\n", kind.description());
    }
    print(&text)?;
    Ok(Exit::Done)
}

fn layout(arguments: ImportArguments) -> SessionsPath {
    if let (Some(queries), Some(events)) = (arguments.ubi_queries, arguments.ubi_events) {
        return SessionsPath::Ubi(UbiSpec { queries, events, application: arguments.ubi_application });
    }
    if let Some(qrels) = arguments.trec_qrels {
        return SessionsPath::Trec(TrecSpec { topics: arguments.trec_topics, qrels });
    }
    match arguments.beir {
        Some(directory) => SessionsPath::Beir(directory),
        None => SessionsPath::Files(arguments.files),
    }
}
