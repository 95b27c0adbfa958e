//! Places in an answer, as JSONPath (RFC 9535).

use std::fmt;

/// A place in a JSON value; it prints as JSONPath.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Path {
    segments: Vec<Segment>,
}

/// One step down.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Member(String),
    Index(usize),
    Each,
}

impl Path {
    /// Returns the place of a member.
    pub(super) fn member(&self, name: &str) -> Self {
        self.followed_by(Segment::Member(name.to_owned()))
    }

    /// Returns the place of an element.
    pub(super) fn index(&self, index: usize) -> Self {
        self.followed_by(Segment::Index(index))
    }

    /// Returns the places of all elements.
    pub(super) fn each(&self) -> Self {
        self.followed_by(Segment::Each)
    }

    /// Returns the place under this one that `names` lead to.
    pub(super) fn members(&self, names: &[String]) -> Self {
        names.iter().fold(self.clone(), |path, name| path.member(name))
    }

    /// Returns the number of steps from the root.
    pub(super) fn depth(&self) -> usize {
        self.segments.len()
    }

    fn followed_by(&self, segment: Segment) -> Self {
        let segments = self.segments.iter().cloned().chain([segment]).collect();
        Self { segments }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("$")?;
        self.segments.iter().try_for_each(|segment| match segment {
            Segment::Member(name) if is_shorthand(name) => write!(formatter, ".{name}"),
            Segment::Member(name) => write!(formatter, "['{}']", quoted(name)),
            Segment::Index(index) => write!(formatter, "[{index}]"),
            Segment::Each => formatter.write_str("[*]"),
        })
    }
}

/// Whether a name may stand after a dot.
fn is_shorthand(name: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    name.starts_with(is_letter) && name.chars().all(|letter| is_letter(letter) || letter.is_ascii_digit())
}

/// A name between single quotes.
fn quoted(name: &str) -> String {
    name.chars().fold(String::new(), |mut text, letter| {
        match letter {
            '\'' | '\\' => text.extend(['\\', letter]),
            letter if u32::from(letter) < 0x20 => text += &format!("\\u{:04x}", u32::from(letter)),
            letter => text.push(letter),
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_need_quotes_have_them() {
        let path = Path::default().member("hits").member("it's a\\key\n").each().index(3).member("größe");
        assert_eq!(path.to_string(), "$.hits['it\\'s a\\\\key\\u000a'][*][3]['größe']");
        assert_eq!(Path::default().to_string(), "$");
    }
}
