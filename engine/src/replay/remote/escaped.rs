//! Texts that stand in another text, escaped in whichever way that one needs: JSON, URLs, pages.

/// Returns what follows `plain` where `text` begins with it, each character as it is or escaped.
///
/// Which escapes are written differs: some servers write `&` in JSON as `\u0026`, others `/` as `\/`.
pub(super) fn strip_prefix<'a>(text: &'a str, plain: &str) -> Option<&'a str> {
    // A `%` or `&` may be itself or begin an escape; a text is rarely escaped in two ways at once.
    let steps = |as_escapes: bool| {
        let (mut rest, mut expected) = (text, plain);
        while !expected.is_empty() {
            (rest, expected) = next(rest, expected, as_escapes)?;
        }
        Some(rest)
    };
    text.strip_prefix(plain).or_else(|| steps(true)).or_else(|| steps(false))
}

/// Steps over one character of `text`, if the one that `expected` begins with stands there.
fn next<'a, 'b>(text: &'a str, expected: &'b str, as_escapes: bool) -> Option<(&'a str, &'b str)> {
    let character = expected.chars().next()?;
    let behind = expected.get(character.len_utf8()..)?;
    let escaped = || {
        escaped_in_json(text, character)
            .or_else(|| percent_encoded(text, character))
            .or_else(|| text.strip_prefix('+').filter(|_| character == ' '))
            .or_else(|| entity(text, character))
    };
    let itself = || text.strip_prefix(character);
    let after = if as_escapes { escaped().or_else(itself) } else { itself().or_else(escaped) }?;
    Some((after, behind))
}

fn escaped_in_json(text: &str, character: char) -> Option<&str> {
    let after = behind_backslashes(text.strip_prefix('\\')?);
    if character == '\\' {
        // A third one begins the escape of the character that follows.
        return text.strip_prefix("\\\\");
    }
    let short = match character {
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        other => other,
    };
    let is_escaped = matches!(short, '"' | '\'' | '/') || short != character;
    if is_escaped && let Some(after) = after.strip_prefix(short) {
        return Some(after);
    }
    let mut units = [0_u16; 2];
    let mut after = Some(after);
    for (position, unit) in character.encode_utf16(&mut units).iter().enumerate() {
        let digits = after.map(|after| if position == 0 { after } else { behind_backslashes(after) });
        after = digits.and_then(|digits| strip_hexadecimal(digits.strip_prefix('u')?, u32::from(*unit), 4));
    }
    after
}

/// A text that stands in JSON which itself stands in JSON has more than one backslash.
fn behind_backslashes(text: &str) -> &str {
    const MOST: usize = 8;
    let run = text.bytes().take(MOST).take_while(|byte| *byte == b'\\').count();
    text.get(run..).unwrap_or_default()
}

fn percent_encoded(text: &str, character: char) -> Option<&str> {
    let mut bytes = [0; 4];
    let mut after = text;
    for byte in character.encode_utf8(&mut bytes).bytes() {
        after = strip_hexadecimal(after.strip_prefix('%')?, u32::from(byte), 2)?;
    }
    Some(after)
}

/// An entity of HTML, by name or by number.
fn entity(text: &str, character: char) -> Option<&str> {
    const LONGEST: usize = 10;
    let text = text.strip_prefix('&')?;
    let end = text.bytes().take(LONGEST).position(|byte| byte == b';')?;
    let (name, after) = (text.get(..end)?, text.get(end + 1..)?);
    let named = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            code.ok().and_then(char::from_u32)
        }
    };
    (named == Some(character)).then_some(after)
}

/// Returns what follows a number of so many hexadecimal digits, if it stands there.
fn strip_hexadecimal(text: &str, number: u32, digits: usize) -> Option<&str> {
    let (written, after) = text.split_at_checked(digits)?;
    (u32::from_str_radix(written, 16) == Ok(number)).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_known_however_it_is_escaped() {
        let plain = "a&b<c/\"d' \\\u{e9}\u{1f600}";
        let escaped = [
            plain.to_owned(),
            serde_json::Value::from(plain).to_string().trim_matches('"').to_owned(),
            r#"a\u0026b\u003Cc\/\"d\u0027 \\\u00e9\uD83D\ude00"#.to_owned(),
            r#"a\\u0026b\\u003cc\\\/\\\"d\\u0027 \\\\u00e9\\ud83d\\ude00"#.to_owned(),
            url::form_urlencoded::byte_serialize(plain.as_bytes()).collect(),
            "a%26b%3cc%2f%22d%27%20%5c%c3%a9%f0%9f%98%80".to_owned(),
            "a&amp;b&lt;c/&quot;d&#39; \\&#xE9;&#128512;".to_owned(),
        ];
        for text in escaped {
            assert_eq!(strip_prefix(&format!("{text} rest"), plain), Some(" rest"), "{text}");
        }
        assert_eq!(strip_prefix("a%25%2Fb", "a%/b"), Some(""));
        assert_eq!(strip_prefix(r"a%25\/b", "a%25/b"), Some(""));
        assert_eq!(strip_prefix(r"a&lt;\/b", "a&lt;/b"), Some(""));
        for text in ["", "a", "a&", "a&b<c/\"d", "A&b<c", "a%2", "a\\u00", "a\\u0027b", "a&amp", "a&#x;b", "a%\u{e9}"] {
            assert_eq!(strip_prefix(text, plain), None, "{text}");
        }
    }
}
