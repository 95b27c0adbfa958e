//! Which items of a file does a corpus not hold? Nothing that searches the corpus can ever return them.

use std::collections::HashSet;

use super::model::{Check, FileKind, Findings, Inspection};
use crate::benchmark::CorpusPlan;
use crate::benchmark::spec::SessionsPath;
use crate::load::dirt::Dirt;
use crate::load::files::Lines;
use crate::load::trec::{is_comment, parse_qrel};
use crate::load::ubi::{Records, plain_text};
use crate::load::{DocumentReader, LoadError, SessionReader};

const UNKNOWN_ITEM: Check = Check::warning(
    "unknown_item",
    "mentions of an item that the corpus does not hold; no retriever over it can return them",
);
const OBJECT_ID: &str = "event_attributes.object.object_id";

/// Adds to `inspection` how many of its file's mentions of items (shown, acted on or judged) the corpus does not hold.
///
/// # Errors
///
/// Returns the reader's error where the corpus or the file cannot be read, and [`LoadError::Format`] for a file of a kind
/// that mentions no items.
pub fn find_unknown_items(inspection: &mut Inspection, corpus: &CorpusPlan) -> Result<(), LoadError> {
    let known =
        DocumentReader::open(corpus, &[])?.map(|document| Ok(document?.id)).collect::<Result<_, LoadError>>()?;
    let mut mentions = Mentions { known, findings: Findings::default(), total: 0 };
    match inspection.kind {
        FileKind::Sessions => {
            let files = SessionsPath::Files(vec![inspection.path.display().to_string()]);
            for session in SessionReader::open(&files, None)? {
                let session = session?;
                session.shown.iter().for_each(|item| mentions.note(&item.item_id));
                session.interactions.iter().for_each(|interaction| mentions.note(&interaction.item_id));
                session.judgments.iter().for_each(|judgment| mentions.note(&judgment.item_id));
            }
        }
        FileKind::UbiEvents => {
            let mut records = Records::open(&inspection.path)?;
            while let Some((_, record)) = records.next_record(&mut Dirt::default())? {
                plain_text(&record, OBJECT_ID).iter().for_each(|item| mentions.note(item));
            }
        }
        FileKind::TrecQrels => {
            let mut lines = Lines::open(&inspection.path)?;
            while let Some((_, line)) = lines.next_line()? {
                if !is_comment(line) {
                    // A line that is no judgment is a finding of the inspection itself.
                    parse_qrel(line).iter().for_each(|qrel| mentions.note(qrel.document));
                }
            }
        }
        _ => {
            let reason = "it mentions no items to look up, expected sessions, UBI events or TREC judgments".to_owned();
            return Err(LoadError::Format { path: inspection.path.clone(), reason });
        }
    }
    inspection.counts.insert("item mentions".to_owned(), mentions.total);
    inspection.findings.extend(mentions.findings.into_vec());
    Ok(())
}

struct Mentions {
    known: HashSet<String>,
    findings: Findings,
    total: u64,
}

impl Mentions {
    fn note(&mut self, item: &str) {
        self.total += 1;
        if !self.known.contains(item) {
            self.findings.add(&UNKNOWN_ITEM, || format!("`{item}`"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::inspect;

    #[test]
    fn items_that_the_corpus_does_not_hold_are_counted_by_mention() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("docs.jsonl"), "{\"id\":\"a\"}\n{\"id\":\"b\"}\n").expect("written");
        std::fs::write(path("qrels"), "1 0 a 1\n1 0 x 0\n2 0 x 1\n# 2 0 y 1\n").expect("written");
        let corpus = CorpusPlan { name: "docs".into(), path: path("docs.jsonl"), id: "id".into() };
        let mut inspection = inspect(&path("qrels")).expect("an inspection");
        find_unknown_items(&mut inspection, &corpus).expect("looked up");
        assert_eq!((inspection.count("unknown_item"), inspection.counts["item mentions"]), (2, 3));
        let mut documents = inspect(&path("docs.jsonl")).expect("an inspection");
        assert!(find_unknown_items(&mut documents, &corpus).is_err());
    }
}
