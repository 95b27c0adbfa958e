//! The parameters that a benchmark gives a scorer.

use std::cell::RefCell;

use crate::Json;
use crate::json::entries;

/// The parameters: a JSON object, read key by key.
///
/// Each getter returns the default or `None` where the key is missing, and an error that names the key, what was found and
/// what was expected where the value is of another kind. Keys that are never asked for are refused as unknown, which
/// finds misspelt ones.
#[derive(Debug)]
pub struct Params {
    entries: Vec<Entry>,
    asked: RefCell<Vec<String>>,
}

#[derive(Debug)]
struct Entry {
    key: String,
    value: Json,
    /// The value as the benchmark has it, for messages: to print floats anew costs a component 10 kB.
    written: String,
}

impl Params {
    /// Reads parameters from JSON text.
    ///
    /// # Errors
    ///
    /// Returns an error where the text is no JSON object.
    pub fn parse(text: &str) -> Result<Self, String> {
        let read = entries(text).map_err(|reason| format!("the parameters must be a JSON object: {reason}"))?;
        let entry = |(key, value, written): (String, Json, &str)| Entry { key, value, written: written.to_owned() };
        Ok(Self { entries: read.into_iter().map(entry).collect(), asked: RefCell::default() })
    }

    /// Returns the value of a key as it is.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.entry(key).map(|entry| &entry.value)
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        let mut asked = self.asked.borrow_mut();
        if !asked.iter().any(|name| name == key) {
            asked.push(key.to_owned());
        }
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Returns a number.
    ///
    /// # Errors
    ///
    /// Returns an error where the value is no number.
    pub fn number(&self, key: &str) -> Result<Option<f64>, String> {
        self.read(key, "a number", Json::as_number)
    }

    /// Returns a number, `default` where the key is missing.
    ///
    /// # Errors
    ///
    /// Returns an error where the value is no number.
    pub fn number_or(&self, key: &str, default: f64) -> Result<f64, String> {
        Ok(self.number(key)?.unwrap_or(default))
    }

    /// Returns a whole number of at least 1, such as a cutoff or a depth.
    ///
    /// # Errors
    ///
    /// Returns an error where the value is no such number.
    pub fn whole(&self, key: &str) -> Result<Option<usize>, String> {
        self.read(key, "a whole number from 1 to 4294967295", |value| match value {
            Json::Number(number) if *number >= 1.0 && *number <= f64::from(u32::MAX) && number.fract() == 0.0 => {
                // In range, so that the cast loses nothing.
                Some(*number as usize)
            }
            _ => None,
        })
    }

    /// Returns a whole number of at least 1, `default` where the key is missing.
    ///
    /// # Errors
    ///
    /// Returns an error where the value is no such number.
    pub fn whole_or(&self, key: &str, default: usize) -> Result<usize, String> {
        Ok(self.whole(key)?.unwrap_or(default))
    }

    /// Returns a truth value, `default` where the key is missing.
    ///
    /// # Errors
    ///
    /// Returns an error where the value is neither `true` nor `false`.
    pub fn flag_or(&self, key: &str, default: bool) -> Result<bool, String> {
        let flag = self.read(key, "`true` or `false`", |value| match value {
            Json::Boolean(flag) => Some(*flag),
            _ => None,
        });
        Ok(flag?.unwrap_or(default))
    }

    /// Returns a text.
    ///
    /// # Errors
    ///
    /// Returns an error where the value is no text.
    pub fn text(&self, key: &str) -> Result<Option<&str>, String> {
        self.read(key, "a text", Json::as_text)
    }

    /// Returns a text, `default` where the key is missing.
    ///
    /// # Errors
    ///
    /// Returns an error where the value is no text.
    pub fn text_or<'a>(&'a self, key: &str, default: &'a str) -> Result<&'a str, String> {
        Ok(self.text(key)?.unwrap_or(default))
    }

    /// Returns a list of texts.
    ///
    /// # Errors
    ///
    /// Returns an error where the value is no list of texts.
    pub fn texts(&self, key: &str) -> Result<Option<Vec<&str>>, String> {
        self.read(key, "a list of texts", |value| match value {
            Json::List(values) => values.iter().map(Json::as_text).collect(),
            _ => None,
        })
    }

    /// Returns an object of numbers, such as weights by kind, in written order.
    ///
    /// # Errors
    ///
    /// Returns an error where the value is no object of numbers.
    pub fn numbers(&self, key: &str) -> Result<Option<Vec<(&str, f64)>>, String> {
        self.read(key, "an object of numbers", |value| match value {
            Json::Object(entries) => {
                entries.iter().map(|(name, value)| Some((name.as_str(), value.as_number()?))).collect()
            }
            _ => None,
        })
    }

    /// Refuses keys that were never asked for.
    pub(crate) fn refuse_unknown(&self) -> Result<(), String> {
        let asked = self.asked.borrow();
        let Some(Entry { key, .. }) = self.entries.iter().find(|entry| !asked.contains(&entry.key)) else {
            return Ok(());
        };
        if asked.is_empty() {
            return Err(format!("unknown parameter `{key}`; expected none"));
        }
        let expected: Vec<String> = asked.iter().map(|name| format!("`{name}`")).collect();
        Err(format!("unknown parameter `{key}`; expected one of {}", expected.join(", ")))
    }

    fn read<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        read: impl Fn(&'a Json) -> Option<T>,
    ) -> Result<Option<T>, String> {
        let Some(entry) = self.entry(key) else { return Ok(None) };
        match read(&entry.value) {
            Some(value) => Ok(Some(value)),
            None => Err(format!("`{key}` must be {expected}, found `{}`", entry.written)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        r#"{"p": 0.5, "k": 10, "deep": true, "name": "a", "kinds": ["x", "y"], "weights": {"z": 2, "a": 1}}"#;

    #[test]
    fn getters_return_values_and_defaults() {
        let params = Params::parse(TEXT).unwrap();
        assert_eq!((params.number("p"), params.number_or("q", 0.25)), (Ok(Some(0.5)), Ok(0.25)));
        assert_eq!((params.whole("k"), params.whole_or("n", 7)), (Ok(Some(10)), Ok(7)));
        assert_eq!((params.flag_or("deep", false), params.flag_or("flat", false)), (Ok(true), Ok(false)));
        assert_eq!((params.text("name"), params.text_or("title", "t")), (Ok(Some("a")), Ok("t")));
        assert_eq!(params.texts("kinds"), Ok(Some(vec!["x", "y"])));
        assert_eq!(params.numbers("weights"), Ok(Some(vec![("z", 2.0), ("a", 1.0)])));
        assert_eq!((params.texts("none"), params.numbers("none")), (Ok(None), Ok(None)));
        assert_eq!(params.refuse_unknown(), Ok(()));
    }

    #[test]
    fn wrong_kinds_are_refused_with_the_key_and_the_value() {
        let params = Params::parse(r#"{"k": 1.5, "p": "half", "n": 0, "l": ["a", 1], "o": null}"#).unwrap();
        for (found, expected) in [
            (params.whole("k").unwrap_err(), "`k` must be a whole number from 1 to 4294967295, found `1.5`"),
            (params.whole("n").unwrap_err(), "`n` must be a whole number from 1 to 4294967295, found `0`"),
            (params.number("p").unwrap_err(), "`p` must be a number, found `\"half\"`"),
            (params.texts("l").unwrap_err(), "`l` must be a list of texts, found `[\"a\", 1]`"),
            (params.text("o").unwrap_err(), "`o` must be a text, found `null`"),
            (params.numbers("l").unwrap_err(), "`l` must be an object of numbers, found `[\"a\", 1]`"),
        ] {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn unknown_keys_are_refused_with_those_that_there_are() {
        let params = Params::parse(r#"{"hallf_life": 1}"#).unwrap();
        assert_eq!(params.refuse_unknown(), Err("unknown parameter `hallf_life`; expected none".to_owned()));
        assert_eq!(params.number("half_life"), Ok(None));
        assert_eq!(params.number("neutral"), Ok(None));
        let expected = "unknown parameter `hallf_life`; expected one of `half_life`, `neutral`";
        assert_eq!(params.refuse_unknown(), Err(expected.to_owned()));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert_eq!(
            Params::parse("[]").unwrap_err(),
            "the parameters must be a JSON object: expected `{` at byte 0, found `[`"
        );
        let error = Params::parse("").unwrap_err();
        assert_eq!(error, "the parameters must be a JSON object: expected `{` at byte 0, found the end");
    }
}
