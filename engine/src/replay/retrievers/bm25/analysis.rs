//! From text to terms, as Lucene's `EnglishAnalyzer` does it: words by Unicode's segmentation rules (UAX #29), possessive
//! `'s` taken off, lower case, 33 stop words left out, Porter's stemmer.
//!
//! Two differences from Lucene remain, both outside English: emoji are not terms, and scripts written without spaces that
//! need a dictionary (Thai, Lao, Khmer, Burmese) become one term per character instead of one per run.

use unicode_segmentation::UnicodeSegmentation;

use super::porter;

/// Longest term in UTF-16 units, Lucene's unit; a longer word is cut into pieces of this length.
const MAX_TERM_LENGTH: usize = 255;

/// Returns the terms of `text` in order, repeats included; empty where nothing but stop words and punctuation is left.
#[must_use]
pub fn analyze(text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    let mut letters = Vec::new();
    for word in text.unicode_words().filter(|word| is_word(word)) {
        let mut rest = word;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(piece_end(rest));
            rest = after;
            terms.extend(term(piece, &mut letters));
        }
    }
    terms
}

/// Returns the term of one word, or `None` for a stop word; `letters` is scratch space.
fn term(word: &str, letters: &mut Vec<char>) -> Option<String> {
    letters.clear();
    // Lucene maps character by character: no final sigma, and a dotted capital I becomes a plain i.
    letters.extend(without_possessive(word).chars().filter_map(|letter| letter.to_lowercase().next()));
    if letters.len() <= LONGEST_STOP_WORD && is_stop_word(&letters.iter().collect::<String>()) {
        return None;
    }
    porter::stem(letters);
    Some(letters.iter().collect())
}

fn without_possessive(word: &str) -> &str {
    let stem = word.strip_suffix(['s', 'S']).and_then(|stem| stem.strip_suffix(['\'', '\u{2019}', '\u{ff07}']));
    stem.unwrap_or(word)
}

/// Returns whether a segment holds a letter or a decimal digit: unlike Lucene, `unicode_words` also keeps lone
/// superscripts, fractions and circled numbers.
fn is_word(segment: &str) -> bool {
    segment.chars().any(|letter| letter.is_ascii_alphanumeric() || letter.is_alphabetic() || is_decimal_digit(letter))
}

/// Returns whether `letter` is a decimal digit of any script: only those stay in one segment with a digit before them.
fn is_decimal_digit(letter: char) -> bool {
    letter.is_numeric() && format!("1{letter}").split_word_bounds().count() == 1
}

/// Returns the byte length of the longest prefix that is not longer than a term may be.
fn piece_end(word: &str) -> usize {
    if word.len() <= MAX_TERM_LENGTH {
        return word.len();
    }
    let mut units = 0;
    for (offset, letter) in word.char_indices() {
        units += letter.len_utf16();
        if units > MAX_TERM_LENGTH {
            return offset;
        }
    }
    word.len()
}

const LONGEST_STOP_WORD: usize = 5;

/// Lucene's `ENGLISH_STOP_WORDS_SET`.
fn is_stop_word(word: &str) -> bool {
    matches!(
        word,
        "a" | "an"
            | "and"
            | "are"
            | "as"
            | "at"
            | "be"
            | "but"
            | "by"
            | "for"
            | "if"
            | "in"
            | "into"
            | "is"
            | "it"
            | "no"
            | "not"
            | "of"
            | "on"
            | "or"
            | "such"
            | "that"
            | "the"
            | "their"
            | "then"
            | "there"
            | "these"
            | "they"
            | "this"
            | "to"
            | "was"
            | "will"
            | "with"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_split_where_lucene_splits_them() {
        for (text, expected) in [
            ("COVID-19 cases", "covid 19 case"),
            ("1.5 mg, 3,000 people", "1.5 mg 3,000 peopl"),
            ("don't can’t", "don't can’t"),
            ("U.S. policy", "u. polici"),
            ("write to jane.doe@example.com", "write jane.do example.com"),
            ("foo_bar ___ C++ .NET", "foo_bar c net"),
            ("the children's patient’s DOG'S boss'", "children patient dog boss"),
            ("IL-6/TNF-α H₂O x² ½ Ⅷ", "il 6 tnf α h o x ⅷ"),
            ("日本 ひら カタカナ", "日 本 ひ ら カタカナ"),
            ("٣٤ देवनागरी", "٣٤ देवनागरी"),
            ("ΟΔΟΣ İstanbul", "οδοσ istanbul"),
            ("", ""),
            ("The and of, to?!", ""),
        ] {
            assert_eq!(analyze(text).join(" "), expected, "{text}");
        }
    }

    #[test]
    fn an_overlong_word_is_cut() {
        let lengths: Vec<usize> = analyze(&"x".repeat(600)).iter().map(String::len).collect();
        assert_eq!(lengths, [255, 255, 90]);
        assert_eq!(analyze(&"é".repeat(256)).len(), 2);
    }
}
