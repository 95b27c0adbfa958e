//! SQL with named parameters: where they stand, and what they stand for.

use std::fmt;

use crate::benchmark::diagnostic::did_you_mean;

/// What of a session a query can name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Parameter {
    /// `$query`: the query text.
    Query,
    /// `$depth`: the number of hits asked for.
    Depth,
    /// `$session_id`: the session's id.
    SessionId,
    /// `$taxonomy`: the list of taxonomy paths.
    Taxonomy,
    /// `$vector`: the query vector.
    Vector,
    /// `$inputs`: all further inputs, as JSON.
    Inputs,
    /// `$inputs_<name>`: one of them.
    Input(String),
}

const INPUT: &str = "inputs_";
const NAMES: [&str; 7] = ["query", "depth", "session_id", "taxonomy", "vector", "inputs", "inputs_<name>"];

impl Parameter {
    /// Returns the parameter of that name, which is written without the `$`.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "query" => Self::Query,
            "depth" => Self::Depth,
            "session_id" => Self::SessionId,
            "taxonomy" => Self::Taxonomy,
            "vector" => Self::Vector,
            "inputs" => Self::Inputs,
            _ => Self::Input(name.strip_prefix(INPUT).filter(|input| !input.is_empty())?.to_owned()),
        })
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query => formatter.write_str("query"),
            Self::Depth => formatter.write_str("depth"),
            Self::SessionId => formatter.write_str("session_id"),
            Self::Taxonomy => formatter.write_str("taxonomy"),
            Self::Vector => formatter.write_str("vector"),
            Self::Inputs => formatter.write_str("inputs"),
            Self::Input(name) => write!(formatter, "{INPUT}{name}"),
        }
    }
}

/// A part of a query: text as it stands, or the place of a parameter in [`QueryText::parameters`].
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Parameter(usize),
}

/// An SQL query, in which `$name` is a parameter unless it stands in a string, a quoted name or a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueryText {
    pieces: Vec<Piece>,
    parameters: Vec<Parameter>,
}

impl QueryText {
    /// Reads a query.
    ///
    /// Strings are quoted by `'` (a backslash escapes in `E'...'` only), names by `"`, and longer texts by `$tag$`; comments
    /// are `-- ...` and `/* ... */`, which nest.
    ///
    /// # Errors
    ///
    /// Returns what is wrong: a parameter that means nothing, a numbered one, or a quote or comment without an end.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut query = Self { pieces: Vec::new(), parameters: Vec::new() };
        let mut rest = text;
        while let Some(token) = next_token(rest)? {
            let (taken, left) = rest.split_at_checked(token.length).unwrap_or((rest, ""));
            rest = left;
            match taken.strip_prefix('$').filter(|_| token.is_parameter) {
                Some(name) => query.push_parameter(name)?,
                None => query.push_text(taken),
            }
        }
        Ok(query)
    }

    fn push_text(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Text(before)) => before.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    fn push_parameter(&mut self, name: &str) -> Result<(), String> {
        let parameter = Parameter::of_name(name).ok_or_else(|| {
            let near = did_you_mean(name, NAMES.into_iter().take(6));
            let near = near.map(|near| format!("; did you mean `${near}`?")).unwrap_or_default();
            format!("`${name}` is no parameter, expected one of `${}`{near}", NAMES.join("`, `$"))
        })?;
        let known = self.parameters.iter().position(|known| *known == parameter);
        let place = known.unwrap_or_else(|| {
            self.parameters.push(parameter);
            self.parameters.len() - 1
        });
        self.pieces.push(Piece::Parameter(place));
        Ok(())
    }

    /// Returns the parameters, each once, in order of their first appearance.
    pub(crate) fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Returns the query with each parameter replaced by the 1-based number of its place among them, as `$1`.
    pub(crate) fn numbered(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Parameter(place) => format!("${}", place + 1),
        };
        self.pieces.iter().map(piece).collect()
    }
}

/// A token, as far as it matters here.
struct Token {
    /// Bytes.
    length: usize,
    is_parameter: bool,
}

impl Token {
    fn text(length: usize) -> Self {
        Self { length, is_parameter: false }
    }
}

/// Returns the token that `text` begins with, or `None` at the end.
fn next_token(text: &str) -> Result<Option<Token>, String> {
    let Some(first) = text.chars().next() else { return Ok(None) };
    let length = match first {
        '\'' | '"' => quoted(text, false)?,
        '-' if text.starts_with("--") => text.find('\n').unwrap_or(text.len()),
        '/' if text.starts_with("/*") => comment(text)?,
        '$' => return dollar(text).map(Some),
        // A word is taken whole: it may hold a `$`, and a single `e` makes backslashes escape in the string behind it.
        first if is_of_name(first) => match text.get(1..) {
            Some(string) if matches!(first, 'e' | 'E') && string.starts_with('\'') => 1 + quoted(string, true)?,
            _ => text.find(|character| !is_of_name(character) && character != '$').unwrap_or(text.len()),
        },
        first => first.len_utf8(),
    };
    Ok(Some(Token::text(length)))
}

fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Returns the bytes of the quoted text at the start; a doubled quote is part of it.
fn quoted(text: &str, backslash_escapes: bool) -> Result<usize, String> {
    let quote = text.chars().next().unwrap_or('\'');
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((place, character)) = characters.next() {
        if character == '\\' && backslash_escapes {
            characters.next();
        } else if character == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return Ok(place + quote.len_utf8());
        }
    }
    Err(format!("the quote {} has no end", shown(text)))
}

/// Returns the bytes of the comment at the start, with those inside of it.
fn comment(text: &str) -> Result<usize, String> {
    let mut depth = 0_usize;
    let mut place = 0;
    while let Some(rest) = text.get(place..).filter(|rest| !rest.is_empty()) {
        let length = match rest.get(..2) {
            Some("/*") => {
                depth += 1;
                2
            }
            Some("*/") => {
                depth = depth.saturating_sub(1);
                2
            }
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
        place += length;
        if depth == 0 {
            return Ok(place);
        }
    }
    Err(format!("the comment {} has no end", shown(text)))
}

/// Reads what begins with a dollar sign: a text between two equal tags, a parameter, or nothing special.
fn dollar(text: &str) -> Result<Token, String> {
    let rest = text.get(1..).unwrap_or_default();
    let name = rest.get(..rest.find(|character| !is_of_name(character)).unwrap_or(rest.len())).unwrap_or_default();
    let is_number = name.starts_with(|first: char| first.is_ascii_digit());
    if rest.get(name.len()..).is_some_and(|rest| rest.starts_with('$')) && !is_number {
        let length = name.len() + 2;
        let (tag, body) = text.split_at_checked(length).unwrap_or((text, ""));
        let end = body.find(tag).ok_or_else(|| format!("the quote {} has no end", shown(text)))?;
        return Ok(Token::text(length + end + length));
    }
    if is_number {
        return Err(format!("`${name}` is a number, expected a parameter by name such as `$query`"));
    }
    Ok(Token { length: 1 + name.len(), is_parameter: !name.is_empty() })
}

/// Returns the beginning of a text, for a message.
fn shown(text: &str) -> String {
    const SHOWN: usize = 20;
    let head: String = text.chars().take(SHOWN).collect();
    if head.len() < text.len() { format!("`{head}...`") } else { format!("`{head}`") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbered(text: &str) -> String {
        QueryText::parse(text).unwrap().numbered()
    }

    #[test]
    fn parameters_are_numbered_by_first_appearance() {
        let query = QueryText::parse("SELECT $query::text, $depth, $inputs_lang, $query LIMIT $depth").unwrap();
        assert_eq!(query.numbered(), "SELECT $1::text, $2, $3, $1 LIMIT $2");
        let names: Vec<String> = query.parameters().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["query", "depth", "inputs_lang"]);
        let every = "$query $depth $session_id $taxonomy $vector $inputs $inputs_Größe";
        assert_eq!(numbered(every), "$1 $2 $3 $4 $5 $6 $7");
    }

    #[test]
    fn quotes_and_comments_hold_no_parameters() {
        let untouched = [
            "'$query'",
            "'it''s $query'",
            r"'a\' || $1x",
            r"E'it\'s $query'",
            r"e'\\'",
            "\"$query\"",
            "\"a\"\"$query\"",
            "$$ $query $$",
            "$tag$ $query $$ $other$ $tag$",
            "$query$ $depth $query$",
            "-- $query\n",
            "-- $query",
            "/* $query /* $depth */ $query */",
            "name$query",
            "a $ b",
            "x::vector",
            "",
        ];
        for text in untouched {
            // The one whose string ends before the `$1x`.
            let text = text.trim_end_matches(" || $1x");
            assert_eq!(numbered(text), text);
        }
        assert_eq!(numbered(r"'a\' || $query || 'b'"), r"'a\' || $1 || 'b'", "no escape without the E");
        assert_eq!(numbered("nameE'a' || $query"), "nameE'a' || $1");
        assert_eq!(numbered("$$a$$||$query||$$b$$"), "$$a$$||$1||$$b$$");
        assert_eq!(numbered("'ä'||$query/**/-$depth--$depth"), "'ä'||$1/**/-$2--$depth");
        assert_eq!(numbered("a[$depth:$depth]=$query"), "a[$1:$1]=$2");
    }

    #[test]
    fn mistakes_are_told() {
        let error = |text: &str| QueryText::parse(text).unwrap_err();
        assert_eq!(error("SELECT $1"), "`$1` is a number, expected a parameter by name such as `$query`");
        assert!(error("$querry").ends_with("did you mean `$query`?"), "{}", error("$querry"));
        assert!(error("$inputs_").starts_with("`$inputs_` is no parameter, expected one of `$query`, `$depth`"));
        assert_eq!(error("a 'b"), "the quote `'b` has no end");
        assert_eq!(error("$x$ a long text without its tag"), "the quote `$x$ a long text with...` has no end");
        assert_eq!(error("/* a /* b */"), "the comment `/* a /* b */` has no end");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[$'\"eE\\\\/*\\- \nqueryäx1]{0,40}") {
            if let Ok(query) = QueryText::parse(&text) {
                prop_assert_eq!(query.parameters().is_empty(), query.numbered() == text);
            }
        }
    }
}
