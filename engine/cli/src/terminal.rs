//! What fits a terminal and does no harm there: 80 columns, and nobody's escape sequences.

use std::fmt::Write;
use std::io::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Says a line on stderr. Nothing is left to do when stderr is gone: what is worked on goes on.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Columns that every terminal has.
pub(crate) const WIDTH: u16 = 80;

/// Adds `content` to `text` wrapped at word boundaries, each line after `indent`. A word longer than a line is cut.
///
/// # Errors
///
/// None: writing to a string cannot fail.
pub(crate) fn paragraph(text: &mut String, content: &str, indent: &str) -> std::fmt::Result {
    let width = usize::from(WIDTH);
    let mut line = String::from(indent);
    for word in content.split_whitespace() {
        let started = line.chars().count() > indent.chars().count();
        if started && line.chars().count() + 1 + word.chars().count() > width {
            writeln!(text, "{}", line.trim_end())?;
            indent.clone_into(&mut line);
        } else if started {
            line.push(' ');
        }
        for letter in word.chars() {
            if line.chars().count() == width {
                writeln!(text, "{line}")?;
                indent.clone_into(&mut line);
            }
            line.push(letter);
        }
    }
    writeln!(text, "{}", line.trim_end())
}

/// Returns an empty table without lines, its first column to the left and the others to the right.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(header.iter().copied());
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
        if column.index > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Returns the table without the blanks that fill its last column.
pub(crate) fn trimmed(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Returns a stranger's text on one line: what a terminal would act on, and what hides or reorders the text around it,
/// is written as an escape.
pub(crate) fn visible(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut shown, letter| {
        if is_harmful(letter) {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
        shown
    })
}

/// Returns [`visible`] text of at most `most` characters, with `…` where something was cut.
pub(crate) fn visible_within(text: &str, most: usize) -> String {
    // An escape is longer than what it stands for, so `most` letters suffice.
    let start: String = text.chars().take(most + 1).collect();
    let shown = visible(&start);
    if shown.chars().count() <= most {
        return shown;
    }
    shown.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Returns text of several lines with every line [`visible`], and every line but the first after `indent`, so that no
/// line can pass for one of ours.
pub(crate) fn visible_lines(text: &str, indent: &str) -> String {
    let lines: Vec<String> = text.trim_end().lines().map(visible).collect();
    lines.join(&format!("\n{indent}"))
}

/// Returns JSON text in which no text of a stranger reaches a terminal as it is; it is still the same JSON.
pub(crate) fn visible_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for letter in json.chars() {
        // The line breaks of the layout; within texts they are escaped already.
        if letter != '\n' && is_harmful(letter) {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                shown += &format!("\\u{unit:04x}");
            }
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// Control characters (C0 and C1), line and paragraph separators, and the invisible characters that change the order or
/// the look of others: bidirectional controls, joiners, variation of language tags.
fn is_harmful(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Returns a number of things in words, such as `1 session` and `2 sessions`.
pub(crate) fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// Returns a number of bytes in words, such as `1.6 MB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.iter().find(|(size, _)| count >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", count as f64 / *size as f64),
        None => format!("{count} bytes"),
    }
}

/// Returns a size of memory in words, such as `1.5 MiB`.
pub(crate) fn memory(bytes: u64) -> String {
    if bytes < 1 << 20 {
        return format!("{} KiB", bytes.div_ceil(1 << 10));
    }
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// Returns a span of time in words, such as `1.20 ms`.
pub(crate) fn seconds(seconds: f64) -> String {
    const UNITS: [(f64, &str); 3] = [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs")];
    match UNITS.iter().find(|(size, _)| seconds >= *size) {
        Some((size, unit)) => format!("{:.2} {unit}", seconds / size),
        None => format!("{:.0} ns", seconds * 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_is_left() {
        let hostile = "a\u{1b}[31mb\r\nc\u{9b}d\u{202e}e\u{2066}f\u{7}g\u{200b}h\u{2028}i\u{e0041}";
        let shown = visible(hostile);
        assert!(!shown.chars().any(is_harmful), "{shown:?}");
        assert_eq!(visible("größe 靴 👟 'x' \"y\" \\"), "größe 靴 👟 'x' \"y\" \\");
    }

    #[test]
    fn long_text_is_cut_at_the_length_asked_for() {
        assert_eq!(visible_within(&"x".repeat(1 << 20), 5), "xxxx…");
        assert_eq!(visible_within("\u{1b}\u{1b}", 10), "\\u{1b}\\u{…");
        assert_eq!(visible_within("12345", 5), "12345");
    }

    #[test]
    fn a_second_line_cannot_pass_for_one_of_ours() {
        assert_eq!(visible_lines("a\nerror: b\r\n", "  | "), "a\n  | error: b");
    }

    #[test]
    fn json_stays_what_it_was() {
        let value = serde_json::json!({ "a": "\u{9b}2J\u{202e}\u{1b}\n", "b": ["\u{e0041}", "é👟"] });
        let printed = visible_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!printed.chars().any(|letter| letter != '\n' && is_harmful(letter)), "{printed:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), value);
    }

    #[test]
    fn no_line_of_a_paragraph_is_wider_than_the_terminal() {
        for content in ["word ".repeat(60), "x".repeat(500), format!("a {} b", "y".repeat(79)), String::new()] {
            let mut text = String::new();
            paragraph(&mut text, &content, "    ").unwrap();
            assert!(text.lines().all(|line| line.chars().count() <= usize::from(WIDTH)), "{text}");
            let letters = |text: &str| text.chars().filter(|letter| !letter.is_whitespace()).count();
            assert_eq!(letters(&text), letters(&content));
        }
    }

    #[test]
    fn sizes_and_times_are_said_in_words() {
        let said = [bytes(999), bytes(38_900), bytes(18_400_000), seconds(2.5), seconds(0.0012), seconds(4e-7)];
        assert_eq!(said, ["999 bytes", "38.9 kB", "18.4 MB", "2.50 s", "1.20 ms", "400 ns"]);
        assert_eq!([memory(65_536), memory(268_435_456)], ["64 KiB", "256.0 MiB"]);
        assert_eq!([0, 1, 2].map(|count| counted(count, "gate")), ["0 gates", "1 gate", "2 gates"]);
    }
}
