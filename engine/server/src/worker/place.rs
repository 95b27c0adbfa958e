//! Where in a JSON text a line and column stand, by its keys: `retriever[1].stages[0].corpus`.

/// One step into a value.
enum Step {
    Key(String),
    Index(usize),
}

/// Returns the keys at a 1-based line and column (in characters) of a JSON text; empty at its root.
pub(super) fn keys_at(text: &str, line: usize, column: usize) -> String {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    let end = start + rest.chars().take(column).map(char::len_utf8).sum::<usize>();
    let mut steps: Vec<Step> = Vec::new();
    let mut word: Option<String> = None;
    let mut last = String::new();
    let mut escaped = false;
    for letter in text.get(..end).unwrap_or(text).chars() {
        if let Some(known) = &mut word {
            match letter {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => last = word.take().unwrap_or_default(),
                _ => known.push(letter),
            }
            continue;
        }
        match letter {
            '"' => word = Some(String::new()),
            '{' => steps.push(Step::Key(String::new())),
            '[' => steps.push(Step::Index(0)),
            '}' | ']' => drop(steps.pop()),
            ':' => {
                if let Some(Step::Key(key)) = steps.last_mut() {
                    *key = std::mem::take(&mut last);
                }
            }
            ',' => match steps.last_mut() {
                Some(Step::Index(index)) => *index += 1,
                Some(Step::Key(key)) => key.clear(),
                None => {}
            },
            _ => {}
        }
    }
    // The place may be a key itself, of which only the beginning was read.
    if let (Some(begun), Some(Step::Key(key))) = (&word, steps.last_mut())
        && key.is_empty()
    {
        let rest: String = text.get(end..).unwrap_or_default().chars().take_while(|letter| *letter != '"').collect();
        *key = format!("{begun}{rest}");
    }
    written(&steps)
}

fn written(steps: &[Step]) -> String {
    let mut keys = String::new();
    for step in steps {
        match step {
            Step::Key(key) if key.is_empty() => {}
            Step::Key(key) if keys.is_empty() => keys.push_str(key),
            Step::Key(key) => keys = format!("{keys}.{key}"),
            Step::Index(index) => keys = format!("{keys}[{index}]"),
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_a_text_has_its_keys() {
        let value = serde_json::json!({
            "a": { "b: [": 1, "c": "x, \"y\"" },
            "list": [1, { "deep": [true, null] }, "three"],
        });
        let text = serde_json::to_string_pretty(&value).unwrap();
        let at = |needle: &str| {
            let place = text.find(needle).unwrap();
            let line = text[..place].matches('\n').count() + 1;
            let column = place - text[..place].rfind('\n').map_or(0, |newline| newline + 1) + 1;
            keys_at(&text, line, column)
        };
        for (needle, keys) in [
            ("\"b: [\"", "a.b: ["),
            ("\"x,", "a.c"),
            ("1,\n    {", "list[0]"),
            ("\"deep\"", "list[1].deep"),
            ("null", "list[1].deep[1]"),
            ("\"three\"", "list[2]"),
        ] {
            assert_eq!(at(needle), keys, "{needle}");
        }
        assert_eq!(keys_at(&text, 1, 1), "");
        assert_eq!(keys_at("", 5, 5), "");
    }
}
