//! JSON, as far as parameters need it.

/// Nesting that no parameters have; it keeps the reader's recursion short.
const DEEPEST: usize = 64;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number; finite.
    Number(f64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object, in written order; no key twice.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads one JSON value.
    ///
    /// # Errors
    ///
    /// Says at which byte what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(0)?;
        reader.skip_space();
        if reader.at < text.len() { Err(reader.expected("nothing more")) } else { Ok(value) }
    }

    /// Returns the value of a key; `None` where there is no such key, or this is no object.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(entries) = self else { return None };
        entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Returns the number; `None` where this is none.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    /// Returns the text; `None` where this is none.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// Reads an object, as each key's value and that value's text.
pub(crate) fn entries(text: &str) -> Result<Vec<(String, Json, &str)>, String> {
    let mut reader = Reader { text, at: 0 };
    reader.skip_space();
    if reader.peek() != Some(b'{') {
        return Err(reader.expected("`{`"));
    }
    let entries = reader.entries(0)?;
    reader.skip_space();
    if reader.at < text.len() { Err(reader.expected("nothing more")) } else { Ok(entries) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Json, String> {
        if depth > DEEPEST {
            return Err(format!("the JSON is nested more than {DEEPEST} deep"));
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => Ok(Json::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, String> {
        Ok(Json::Object(self.entries(depth)?.into_iter().map(|(key, value, _)| (key, value)).collect()))
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<(String, Json, &'a str)>, String> {
        self.at += 1;
        let mut entries: Vec<(String, Json, &str)> = Vec::new();
        if self.takes(b'}') {
            return Ok(entries);
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.expected("a key in quotes"));
            }
            let key = self.string()?;
            if entries.iter().any(|(name, _, _)| *name == key) {
                return Err(format!("the key `{key}` stands twice in one object"));
            }
            if !self.takes(b':') {
                return Err(self.expected("`:`"));
            }
            self.skip_space();
            let start = self.at;
            let value = self.value(depth + 1)?;
            entries.push((key, value, &self.text[start..self.at]));
            if self.takes(b'}') {
                return Ok(entries);
            }
            if !self.takes(b',') {
                return Err(self.expected("`,` or `}`"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, String> {
        self.at += 1;
        let mut values = Vec::new();
        if self.takes(b']') {
            return Ok(Json::List(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            if self.takes(b']') {
                return Ok(Json::List(values));
            }
            if !self.takes(b',') {
                return Err(self.expected("`,` or `]`"));
            }
        }
    }

    fn string(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut string = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
            let Some(plain) = plain else { return Err("the JSON ends within a text".to_owned()) };
            string.push_str(&rest[..plain]);
            self.at += plain + 1;
            match rest.as_bytes()[plain] {
                b'"' => return Ok(string),
                b'\\' => string.push(self.escaped()?),
                _ => return Err(format!("a text has a control character at byte {}", self.at - 1)),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, String> {
        let escape = self.peek();
        self.at += 1;
        Ok(match escape {
            Some(plain @ (b'"' | b'\\' | b'/')) => char::from(plain),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.code_unit()?;
                let high = (0xd800..0xdc00).contains(&first);
                let second = if high && self.text[self.at..].starts_with("\\u") {
                    self.at += 2;
                    Some(self.code_unit()?)
                } else {
                    None
                };
                let units = std::iter::once(first).chain(second);
                match char::decode_utf16(units).next() {
                    Some(Ok(character)) => character,
                    _ => return Err("a text has half of a surrogate pair".to_owned()),
                }
            }
            _ => {
                self.at -= 1;
                return Err(self.expected("an escape such as `\\n`"));
            }
        })
    }

    fn code_unit(&mut self) -> Result<u16, String> {
        let digits =
            self.text.get(self.at..self.at + 4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let Some(unit) = unit else { return Err(self.expected("four hexadecimal digits")) };
        self.at += 4;
        Ok(unit)
    }

    fn number(&mut self) -> Result<Json, String> {
        let start = self.at;
        self.passes(b'-');
        let integer = self.digits();
        let leading_zero = integer > 1 && self.text.as_bytes()[self.at - integer] == b'0';
        let mut legal = integer > 0 && !leading_zero;
        if self.passes(b'.') {
            legal &= self.digits() > 0;
        }
        if self.passes(b'e') || self.passes(b'E') {
            let _signed = self.passes(b'+') || self.passes(b'-');
            legal &= self.digits() > 0;
        }
        let digits = &self.text[start..self.at];
        match digits.parse() {
            Ok(number) if legal && f64::is_finite(number) => Ok(Json::Number(number)),
            _ => Err(format!("`{digits}` is not a number of JSON, or too large")),
        }
    }

    fn digits(&mut self) -> usize {
        let digits = self.text.as_bytes()[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        digits
    }

    fn word(&mut self) -> Result<Json, String> {
        for (word, value) in [("null", Json::Null), ("true", Json::Boolean(true)), ("false", Json::Boolean(false))] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.expected("a value"))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn passes(&mut self, byte: u8) -> bool {
        let passes = self.peek() == Some(byte);
        self.at += usize::from(passes);
        passes
    }

    fn takes(&mut self, byte: u8) -> bool {
        self.skip_space();
        self.passes(byte)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expected(&self, what: &str) -> String {
        let found = self.text.get(self.at..).and_then(|rest| rest.chars().next());
        match found {
            Some(found) => format!("expected {what} at byte {}, found `{found}`", self.at),
            None => format!("expected {what} at byte {}, found the end", self.at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_is_read() {
        let value = Json::parse(" {\"a\" : [1, -2.5e2, true, false, null], \"b\":{}, \"c\":[] }\n").unwrap();
        let numbers = [Json::Number(1.0), Json::Number(-250.0), Json::Boolean(true), Json::Boolean(false), Json::Null];
        assert_eq!(value.get("a"), Some(&Json::List(numbers.to_vec())));
        assert_eq!(value.get("b"), Some(&Json::Object(Vec::new())));
        assert_eq!(value.get("c"), Some(&Json::List(Vec::new())));
        assert_eq!(value.get("d"), None);
    }

    #[test]
    fn texts_may_have_escapes_and_any_script() {
        let text = Json::parse(r#""\"\\\/\b\f\n\r\t é \u00e9 \ud83d\ude00 漢""#).unwrap();
        assert_eq!(text, Json::Text("\"\\/\u{8}\u{c}\n\r\t é é 😀 漢".to_owned()));
    }

    #[test]
    fn what_is_not_json_is_refused_with_the_place() {
        for (text, reason) in [
            ("", "expected a value at byte 0, found the end"),
            ("{\"a\":1", "expected `,` or `}` at byte 6, found the end"),
            ("{a:1}", "expected a key in quotes at byte 1, found `a`"),
            ("{\"a\" 1}", "expected `:` at byte 5, found `1`"),
            ("{\"a\":1,\"a\":2}", "the key `a` stands twice in one object"),
            ("[1 2]", "expected `,` or `]` at byte 3, found `2`"),
            ("[1,]", "expected a value at byte 3, found `]`"),
            ("{} x", "expected nothing more at byte 3, found `x`"),
            ("\"a", "the JSON ends within a text"),
            ("\"\u{1}\"", "a text has a control character at byte 1"),
            ("\"\\q\"", "expected an escape such as `\\n` at byte 2, found `q`"),
            ("\"\\u12g4\"", "expected four hexadecimal digits at byte 3, found `1`"),
            ("\"\\ud800\"", "a text has half of a surrogate pair"),
            ("\"\\ud800\\u0041\"", "a text has half of a surrogate pair"),
            ("01", "`01` is not a number of JSON, or too large"),
            ("-", "`-` is not a number of JSON, or too large"),
            ("1.", "`1.` is not a number of JSON, or too large"),
            ("1e", "`1e` is not a number of JSON, or too large"),
            ("1e999", "`1e999` is not a number of JSON, or too large"),
            ("NaN", "expected a value at byte 0, found `N`"),
            ("\"\\", "expected an escape such as `\\n` at byte 2, found the end"),
        ] {
            assert_eq!(Json::parse(text).unwrap_err(), reason, "{text}");
        }
        assert_eq!(Json::parse(&"[".repeat(1000)).unwrap_err(), "the JSON is nested more than 64 deep");
    }
}
