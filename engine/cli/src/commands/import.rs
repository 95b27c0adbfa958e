//! `rematch import`.

use std::path::Path;

use anyhow::anyhow;
use rematch_engine::benchmark::spec::{SessionsPath, TrecSpec, UbiSpec};
use rematch_engine::load::{self, SessionReader};

use super::{print, print_json};
use crate::arguments::ImportArguments;
use crate::exit::{Exit, Failure};
use crate::terminal::counted;

/// Turns sessions of any layout into native Parquet.
pub(crate) fn import(arguments: ImportArguments) -> Result<Exit, Failure> {
    let out = arguments.out.clone();
    let (json, force) = (arguments.json, arguments.force);
    let layout = layout(arguments);
    check_out(&out, &layout, force)?;
    let reader = SessionReader::open(&layout, None)?;
    let summary = load::import(reader, &out)?;
    if json {
        print_json(&summary)?;
        return Ok(Exit::Done);
    }
    let mut text = format!(
        "{}: {}, {}, {}\n",
        out.display(),
        counted(summary.sessions, "session"),
        counted(summary.interactions, "interaction"),
        counted(summary.judgments, "judgment")
    );
    for (kind, count) in summary.dirt.iter() {
        text += &format!("  {count:>8}  {}\n", kind.description());
    }
    print(&text)?;
    Ok(Exit::Done)
}

/// Refuses to write over what is read, and over any other file unless that is wanted.
fn check_out(out: &Path, layout: &SessionsPath, force: bool) -> Result<(), Failure> {
    let Ok(there) = out.canonicalize() else { return Ok(()) };
    let inputs = load::local_files(layout)?;
    let shown = out.display();
    let refused = if inputs.iter().filter_map(|input| input.canonicalize().ok()).any(|input| input == there) {
        anyhow!("`{shown}` is read by this import and cannot be its output; name another file with `--out`")
    } else if there.is_dir() {
        anyhow!("`{shown}` is a folder; name a file in it with `--out`")
    } else if !force {
        anyhow!("`{shown}` is there already; `--force` overwrites it")
    } else {
        return Ok(());
    };
    Err(Failure::new(Exit::Usage, refused))
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
