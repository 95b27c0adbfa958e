//! An answer as a tree that fits the terminal: 80 columns, one element of each list of objects, long answers cut.

use serde_json::Value;

use crate::terminal::{WIDTH, visible, visible_within};

/// Lines that are shown.
const MOST_LINES: usize = 60;
/// Levels that are shown.
const MOST_LEVELS: usize = 12;
/// Characters of a name.
const NAME: usize = 30;
/// Elements that are shown of a list of plain values, which may be a row; of other lists one is shown.
const FEW: usize = 4;
/// Where values begin, unless names are longer.
const VALUES: usize = 28;

/// Returns the tree, line by line.
pub(super) fn tree(answer: &Value) -> String {
    let mut lines = Vec::new();
    grow(&mut lines, "$", answer, 0);
    let left = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    if left > 0 {
        lines.push(format!("... {left} more lines"));
    }
    lines.iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn grow(lines: &mut Vec<String>, name: &str, value: &Value, level: usize) {
    let start = format!("{}{}", "  ".repeat(level), visible_within(name, NAME));
    let room = usize::from(WIDTH).saturating_sub(start.chars().count().max(VALUES) + 2);
    lines.push(format!("{start:VALUES$}  {}", said(value, room)));
    if level == MOST_LEVELS {
        return;
    }
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| grow(lines, name, member, level + 1)),
        Value::Array(elements) => {
            let are_alike = elements.iter().any(|element| element.is_object() || element.is_array());
            let most = if are_alike { 1 } else { FEW };
            for (index, element) in elements.iter().take(most).enumerate() {
                grow(lines, &format!("[{index}]"), element, level + 1);
            }
        }
        _ => {}
    }
}

fn said(value: &Value, room: usize) -> String {
    match value {
        Value::Object(members) if members.is_empty() => "empty object".to_owned(),
        Value::Object(_) => String::new(),
        Value::Array(elements) => format!("list of {}", elements.len()),
        Value::String(text) => visible_within(&format!("{text:?}"), room),
        other => visible(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tree_shows_the_first_of_each_list() {
        let answer =
            json!({ "took": 5, "hits": { "max": null, "hits": [{ "_id": "a" }, { "_id": "b" }] }, "none": {} });
        let expected = "\
$
  hits
    hits                      list of 2
      [0]
        _id                   \"a\"
    max                       null
  none                        empty object
  took                        5
";
        assert_eq!(tree(&answer), expected);
    }

    #[test]
    fn a_hostile_answer_fits_the_terminal() {
        let mut deep = json!({ "x".repeat(100): "\u{1b}[2J".repeat(100) });
        for _ in 0..50 {
            deep = json!({ "n": [deep, 1.5], "\u{202e}": "y".repeat(200) });
        }
        let wide: Value =
            (0..1000).map(|number| (number.to_string(), json!(number))).collect::<serde_json::Map<_, _>>().into();
        for answer in [deep, wide, json!("text"), json!([])] {
            let shown = tree(&answer);
            assert!(shown.lines().count() <= MOST_LINES + 1, "{shown}");
            for line in shown.lines() {
                assert!(line.chars().count() <= usize::from(WIDTH), "{line}");
                assert!(!line.contains(['\u{1b}', '\u{202e}']), "{line:?}");
            }
        }
    }
}
