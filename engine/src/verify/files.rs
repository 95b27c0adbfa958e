//! The files that the other programs read: one TREC run, and one file of judgments for each kind of gain.
//!
//! Sessions are numbered, and so are items, since ids may hold blanks; a hit's score falls by one from rank to rank, so that
//! every program has the order that was measured.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::gains::Gains;
use crate::score::Relevance;

/// The TREC run.
pub(super) const RUN: &str = "run.txt";

/// Returns the name of a file of judgments.
pub(super) fn judgments(index: usize) -> String {
    format!("qrels-{index}.txt")
}

/// What is in the files of one session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// Whether the session stands in each file of judgments, as well as it can.
    whole: Vec<bool>,
    /// Whether a returned item is judged, and the judgments are written where they can be.
    judged_hit: bool,
}

impl Written {
    /// Returns whether the session stands in that file of judgments, as well as it can.
    pub(super) fn holds(&self, file: usize) -> bool {
        self.whole.get(file).copied().unwrap_or(false)
    }

    /// Returns whether every program that reads that file has a value for the session.
    pub(super) fn demands(&self, file: usize) -> bool {
        self.judged_hit && self.holds(file)
    }
}

/// The files of a batch, being written.
pub(super) struct Files {
    run: BufWriter<File>,
    judgments: Vec<(Gains, BufWriter<File>)>,
}

impl Files {
    pub(super) fn create(folder: &Path, gains: &[Gains]) -> io::Result<Self> {
        let create = |name: &str| File::create(folder.join(name)).map(BufWriter::new);
        let judgments = gains.iter().enumerate().map(|(index, &gains)| Ok((gains, create(&judgments(index))?)));
        Ok(Self { run: create(RUN)?, judgments: judgments.collect::<io::Result<_>>()? })
    }

    /// Writes a session, and returns what of it is in the files.
    pub(super) fn add<'a>(
        &mut self,
        number: usize,
        relevance: &Relevance,
        items: impl ExactSizeIterator<Item = &'a str>,
    ) -> io::Result<Written> {
        let judged: Vec<(&str, f64)> = relevance.iter().collect();
        let returned = items.len();
        let mut judged_hit = false;
        for (index, item) in items.enumerate() {
            let score = returned - index;
            // Judged items ascend by id, each once.
            match judged.binary_search_by(|(known, _)| known.cmp(&item)) {
                Ok(place) => {
                    judged_hit = true;
                    writeln!(self.run, "{number} Q0 d{place} {index} {score} rematch")?;
                }
                Err(_) => writeln!(self.run, "{number} Q0 u{index} {index} {score} rematch")?,
            }
        }
        let grades: Vec<f64> = judged.iter().map(|(_, grade)| *grade).collect();
        // Programs fall over sessions in which nothing is judged but by negative grades.
        let any = grades.iter().any(|grade| *grade >= 0.0);
        let mut written = Written { whole: Vec::with_capacity(self.judgments.len()), judged_hit: judged_hit && any };
        for (gains, file) in &mut self.judgments {
            let whole = if any { gains.whole(&grades) } else { None };
            for (place, grade) in whole.iter().flatten().enumerate() {
                writeln!(file, "{number} 0 d{place} {grade}")?;
            }
            written.whole.push(whole.is_some() || !any);
        }
        Ok(written)
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.run.flush()?;
        self.judgments.iter_mut().try_for_each(|(_, file)| file.flush())
    }
}
