//! Judgments in the TREC format.

/// The largest grade: every whole number up to it is an exact `f32`.
pub(super) const GRADE_LIMIT: i64 = 1 << 24;

/// One line of judgments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::load) struct Qrel<'a> {
    pub(in crate::load) topic: &'a str,
    pub(in crate::load) iteration: &'a str,
    pub(in crate::load) document: &'a str,
    pub(in crate::load) grade: f32,
}

/// Returns whether the line is a comment: one that starts with `#`, as trec_eval has it.
pub(in crate::load) fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// Returns the judgment of a line, or what is wrong with it.
pub(in crate::load) fn parse_qrel(line: &str) -> Result<Qrel<'_>, String> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [topic, iteration, document, grade] = fields[..] else {
        return Err(format!("found {} fields, expected 4: `topic iteration document grade`", fields.len()));
    };
    Ok(Qrel { topic, iteration, document, grade: parse_grade(grade)? })
}

/// Returns a grade, or what is wrong with it.
pub(in crate::load) fn parse_grade(text: &str) -> Result<f32, String> {
    let grade = text.trim().parse::<i64>().ok().filter(|grade| (-GRADE_LIMIT..=GRADE_LIMIT).contains(grade));
    #[expect(clippy::cast_precision_loss, reason = "whole numbers up to the limit are exact")]
    grade.map(|grade| grade as f32).ok_or_else(|| format!("grade `{text}`, expected a whole number"))
}
