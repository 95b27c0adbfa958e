//! Checks on the terminal: one line each, and under each that is not fine what to do.

use rematch_engine::replay::diagnosis::{Check, CheckState};

use super::Group;
use crate::terminal::{paragraph, visible};

/// Before the words of a check.
const INDENT: &str = "          ";

/// Returns the checks, group by group, and the sum.
pub(super) fn render(groups: &[Group]) -> String {
    let mut text = String::new();
    for group in groups {
        text += &format!("{}\n", visible(&group.subject));
        for check in &group.checks {
            line(&mut text, check);
        }
    }
    let count = |state| groups.iter().flat_map(|group| &group.checks).filter(|check| check.state == state).count();
    text += &match (count(CheckState::Failed), count(CheckState::Warning)) {
        (0, 0) => "everything is fine\n".to_owned(),
        (0, warnings) => format!("everything works, {warnings} could be better\n"),
        (failed, _) => format!("{failed} failed\n"),
    };
    text
}

fn line(text: &mut String, check: &Check) {
    let state = match check.state {
        CheckState::Ok => "ok",
        CheckState::Warning => "warning",
        CheckState::Failed => "FAILED",
    };
    let mut words = String::new();
    // Writing to a string cannot fail.
    let _ = paragraph(&mut words, &visible(&format!("{}: {}", check.name, check.found)), INDENT);
    let words = words.strip_prefix(INDENT).unwrap_or(&words);
    text.push_str(&format!("  {state:8}{words}"));
    if let Some(fix) = &check.fix {
        let _ = paragraph(text, &visible(&format!("fix: {fix}")), INDENT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_comes_with_its_fix_within_80_columns() {
        let checks = vec![
            Check::ok("cores", "2"),
            Check::warning("open files", "at most 256", "allow more before the call: `ulimit -n 1024`"),
            Check::failed(
                "es tcp",
                "127.0.0.1:9200: Connection refused (os error 111)\u{1b}",
                "start the server, or correct host and port of the stage's `url`",
            ),
        ];
        let expected = "\
this machine
  ok      cores: 2
  warning open files: at most 256
          fix: allow more before the call: `ulimit -n 1024`
  FAILED  es tcp: 127.0.0.1:9200: Connection refused (os error 111)\\u{1b}
          fix: start the server, or correct host and port of the stage's `url`
1 failed
";
        assert_eq!(render(&[Group { subject: "this machine".to_owned(), checks }]), expected);
        let fine = Group { subject: "x".to_owned(), checks: vec![Check::ok("a", "b")] };
        assert!(render(&[fine]).ends_with("everything is fine\n"));
    }
}
