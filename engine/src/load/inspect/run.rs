//! TREC runs: whether ranks and scores agree, ties, and how numbers are written.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::model::{BLANK_LINE, COMMENT_LINE, Check, Findings, Inspection, MALFORMED_LINE};
use crate::load::LoadError;
use crate::load::files::Lines;
use crate::load::trec::is_comment;

const RANK_CONTRADICTS_SCORE: Check = Check::warning(
    "rank_contradicts_score",
    "lines with a higher score than the line of the rank above; trec_eval goes by score and ignores ranks",
);
const TIED_SCORES: Check = Check::warning(
    "tied_scores",
    "lines whose score another line of the topic has; their order depends on the tie rule",
);
const RANK_ZERO: Check = Check::note("rank_zero", "topics whose ranks start at 0");
const RANK_NOT_FIRST: Check = Check::note("rank_gap", "topics whose lowest rank is neither 0 nor 1");
const NOT_IN_RANK_ORDER: Check = Check::note("not_in_rank_order", "lines with a lower rank than the line before");
const SPLIT_TOPIC: Check = Check::note("split_topic", "topics whose lines do not follow each other");
const SCIENTIFIC_NOTATION: Check = Check::note("scientific_notation", "scores written with an exponent");
const NEGATIVE_SCORES: Check =
    Check::note("negative_scores_only", "all scores are below 0; 0 is not the worst score here");
const TAB_SEPARATED: Check = Check::note("tab_separated", "lines whose fields are separated by tabs");
const SEVERAL_TAGS: Check = Check::warning("several_tags", "run tags beyond the first: several runs in one file");
const DUPLICATE_DOCUMENT: Check =
    Check::error("duplicate_document", "documents that occur twice in one topic's ranking");

pub(super) fn inspect(inspection: &mut Inspection, findings: &mut Findings) -> Result<(), LoadError> {
    inspection.fixed_columns(&[
        ("topic", "string"),
        ("Q0", "string"),
        ("document", "string"),
        ("rank", "integer"),
        ("score", "float"),
        ("tag", "string"),
    ]);
    let mut run = Run::default();
    let mut lines = Lines::open(&inspection.path)?;
    while let Some((row, line)) = lines.next_line()? {
        if line.trim().is_empty() {
            findings.add(&BLANK_LINE, || format!("line {row}"));
        } else if is_comment(line) {
            findings.add(&COMMENT_LINE, || format!("line {row}: {line}"));
        } else {
            match parse(line) {
                Ok(parsed) => run.note(parsed, row, findings),
                Err(reason) => findings.add(&MALFORMED_LINE, || format!("line {row}: {reason}")),
            }
            if line.contains('\t') {
                findings.add(&TAB_SEPARATED, || format!("line {row}"));
            }
        }
    }
    run.finish(inspection, findings);
    Ok(())
}

struct Line<'a> {
    topic: &'a str,
    document: &'a str,
    rank: i64,
    score_text: &'a str,
    score: f64,
    tag: &'a str,
}

fn parse(line: &str) -> Result<Line<'_>, String> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [topic, _, document, rank, score_text, tag, ..] = fields[..] else {
        return Err(format!("found {} fields, expected 6: `topic Q0 document rank score tag`", fields.len()));
    };
    let rank = rank.parse().map_err(|_| format!("rank `{rank}`, expected a whole number"))?;
    let score = score_text.parse().ok().filter(|score: &f64| score.is_finite());
    let score = score.ok_or_else(|| format!("score `{score_text}`, expected a finite number"))?;
    Ok(Line { topic, document, rank, score_text, score, tag })
}

#[derive(Default)]
struct Run {
    topics: Vec<Topic>,
    positions: HashMap<String, usize>,
    current: Option<usize>,
    tags: BTreeSet<String>,
    lines: u64,
    negative: u64,
}

#[derive(Default)]
struct Topic {
    id: String,
    ranks: Vec<(i64, f64)>,
    documents: HashSet<String>,
    split: bool,
}

impl Run {
    fn note(&mut self, line: Line<'_>, row: u64, findings: &mut Findings) {
        self.lines += 1;
        self.negative += u64::from(line.score < 0.0);
        if line.score_text.contains(['e', 'E']) {
            findings.add(&SCIENTIFIC_NOTATION, || format!("line {row}: {}", line.score_text));
        }
        if !self.tags.contains(line.tag) {
            self.tags.insert(line.tag.to_owned());
        }
        let position = match self.positions.get(line.topic) {
            Some(position) => *position,
            None => {
                self.positions.insert(line.topic.to_owned(), self.topics.len());
                self.topics.push(Topic { id: line.topic.to_owned(), ..Topic::default() });
                self.topics.len() - 1
            }
        };
        let resumed = self.current != Some(position);
        self.current = Some(position);
        let Some(topic) = self.topics.get_mut(position) else { return };
        topic.split |= resumed && !topic.ranks.is_empty();
        if topic.ranks.last().is_some_and(|(rank, _)| line.rank < *rank) {
            findings.add(&NOT_IN_RANK_ORDER, || format!("line {row}: rank {}", line.rank));
        }
        topic.ranks.push((line.rank, line.score));
        if !topic.documents.insert(line.document.to_owned()) {
            findings.add(&DUPLICATE_DOCUMENT, || format!("line {row}: {} {}", line.topic, line.document));
        }
    }

    fn finish(self, inspection: &mut Inspection, findings: &mut Findings) {
        inspection.rows = self.lines;
        inspection.counts.insert("topics".into(), self.topics.len() as u64);
        if self.lines > 0 && self.negative == self.lines {
            findings.add_many(&NEGATIVE_SCORES, self.lines, || "every line".into());
        }
        let others = self.tags.len().saturating_sub(1) as u64;
        findings.add_many(&SEVERAL_TAGS, others, || self.tags.iter().cloned().collect::<Vec<_>>().join(", "));
        for topic in self.topics {
            topic.finish(findings);
        }
    }
}

impl Topic {
    fn finish(mut self, findings: &mut Findings) {
        let example = || format!("topic {}", self.id);
        if self.split {
            findings.add(&SPLIT_TOPIC, example);
        }
        // Stable: lines of one rank stay in the order of the file.
        self.ranks.sort_by_key(|(rank, _)| *rank);
        match self.ranks.first() {
            Some((0, _)) => findings.add(&RANK_ZERO, example),
            Some((rank, _)) if *rank != 1 => findings.add(&RANK_NOT_FIRST, || format!("{}: {rank}", example())),
            _ => {}
        }
        let higher = self.ranks.windows(2).filter(|pair| matches!(pair, [(_, above), (_, below)] if below > above));
        findings.add_many(&RANK_CONTRADICTS_SCORE, higher.count() as u64, example);
        let distinct: HashSet<u64> = self.ranks.iter().map(|(_, score)| (score + 0.0).to_bits()).collect();
        findings.add_many(&TIED_SCORES, (self.ranks.len() - distinct.len()) as u64, example);
    }
}
