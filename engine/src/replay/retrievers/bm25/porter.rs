//! Porter's stemmer (Porter 1980, "An algorithm for suffix stripping", Program 14(3)), with the departures of the
//! author's own reference program, as in Lucene: words of one or two letters stay, `bli` becomes `ble`, `logi` becomes
//! `log`. It is not the later Porter2 of the Snowball project.

/// Replaces `word`, in lower case, by its stem. Letters outside a-z count as consonants.
pub(super) fn stem(word: &mut Vec<char>) {
    if word.len() <= 2 {
        return;
    }
    remove_plural(word);
    remove_past_or_progressive(word);
    turn_final_y(word);
    replace_first_match(word, DOUBLE_SUFFIXES);
    replace_first_match(word, SUFFIXES_ON_FULL_STEMS);
    remove_residual_suffix(word);
    tidy_up(word);
}

/// Step 2: a suffix, and what stands in its place after a stem of positive measure.
const DOUBLE_SUFFIXES: &[(&str, &str)] = &[
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("logi", "log"),
];

/// Step 3, as step 2.
const SUFFIXES_ON_FULL_STEMS: &[(&str, &str)] =
    &[("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", "")];

/// Step 4: suffixes that go after a stem of measure above 1; a longer one stands before those that end it.
const RESIDUAL_SUFFIXES: &[&str] = &[
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti",
    "ous", "ive", "ize",
];

/// Step 1a.
fn remove_plural(word: &mut Vec<char>) {
    if !ends_with(word, "s") {
        return;
    }
    if ends_with(word, "sses") || ends_with(word, "ies") {
        word.truncate(word.len() - 2);
    } else if !ends_with(word, "ss") {
        word.pop();
    }
}

/// Step 1b.
fn remove_past_or_progressive(word: &mut Vec<char>) {
    if let Some(stem) = stem_before(word, "eed") {
        if measure(&word[..stem]) > 0 {
            word.pop();
        }
        return;
    }
    let Some(stem) = stem_before(word, "ed").or_else(|| stem_before(word, "ing")) else { return };
    if !has_vowel(&word[..stem]) {
        return;
    }
    word.truncate(stem);
    if ends_with(word, "at") || ends_with(word, "bl") || ends_with(word, "iz") {
        word.push('e');
    } else if ends_in_double_consonant(word) {
        if !matches!(word.last(), Some('l' | 's' | 'z')) {
            word.pop();
        }
    } else if measure(word) == 1 && ends_in_short_syllable(word) {
        word.push('e');
    }
}

/// Step 1c.
fn turn_final_y(word: &mut [char]) {
    if let Some((last, stem)) = word.split_last_mut()
        && *last == 'y'
        && has_vowel(stem)
    {
        *last = 'i';
    }
}

/// Steps 2 and 3: only the first suffix that matches is considered.
fn replace_first_match(word: &mut Vec<char>, rules: &[(&str, &str)]) {
    for (suffix, replacement) in rules {
        if let Some(stem) = stem_before(word, suffix) {
            if measure(&word[..stem]) > 0 {
                word.truncate(stem);
                word.extend(replacement.chars());
            }
            return;
        }
    }
}

/// Step 4.
fn remove_residual_suffix(word: &mut Vec<char>) {
    for suffix in RESIDUAL_SUFFIXES {
        if let Some(stem) = stem_before(word, suffix) {
            if *suffix == "ion" && !(stem > 0 && matches!(word[stem - 1], 's' | 't')) {
                return;
            }
            if measure(&word[..stem]) > 1 {
                word.truncate(stem);
            }
            return;
        }
    }
}

/// Step 5.
fn tidy_up(word: &mut Vec<char>) {
    if let Some(stem) = stem_before(word, "e") {
        let measure = measure(&word[..stem]);
        if measure > 1 || (measure == 1 && !ends_in_short_syllable(&word[..stem])) {
            word.truncate(stem);
        }
    }
    if ends_with(word, "ll") && measure(word) > 1 {
        word.pop();
    }
}

fn ends_with(word: &[char], suffix: &str) -> bool {
    stem_before(word, suffix).is_some()
}

/// Returns the length of what stands before `suffix`, or `None` where the word ends otherwise.
fn stem_before(word: &[char], suffix: &str) -> Option<usize> {
    let stem = word.len().checked_sub(suffix.len())?;
    let mut position = word.len();
    for &byte in suffix.as_bytes().iter().rev() {
        position -= 1;
        if word[position] != char::from(byte) {
            return None;
        }
    }
    Some(stem)
}

/// Returns m of the form \[C\](VC)^m\[V\].
fn measure(stem: &[char]) -> usize {
    let mut transitions = 0;
    let mut previous = None;
    for &letter in stem {
        let kind = letter_kind(letter, previous);
        if kind == Kind::Consonant && previous == Some(Kind::Vowel) {
            transitions += 1;
        }
        previous = Some(kind);
    }
    transitions
}

fn has_vowel(stem: &[char]) -> bool {
    let mut previous = None;
    for &letter in stem {
        let kind = letter_kind(letter, previous);
        if kind == Kind::Vowel {
            return true;
        }
        previous = Some(kind);
    }
    false
}

fn ends_in_double_consonant(word: &[char]) -> bool {
    match word {
        [.., before, last] if before == last => last_kinds(word)[2] == Some(Kind::Consonant),
        _ => false,
    }
}

/// Returns whether the word ends in consonant, vowel, consonant, the last of which is not `w`, `x` or `y`.
fn ends_in_short_syllable(word: &[char]) -> bool {
    !matches!(word.last(), Some('w' | 'x' | 'y'))
        && last_kinds(word) == [Some(Kind::Consonant), Some(Kind::Vowel), Some(Kind::Consonant)]
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Vowel,
    Consonant,
}

/// Returns what the last three letters are; `None` before the start of the word.
fn last_kinds(word: &[char]) -> [Option<Kind>; 3] {
    let mut kinds = [None; 3];
    for &letter in word {
        kinds = [kinds[1], kinds[2], Some(letter_kind(letter, kinds[2]))];
    }
    kinds
}

/// Returns what `letter` is; a `y` is a consonant at the start of a word and after a vowel.
fn letter_kind(letter: char, previous: Option<Kind>) -> Kind {
    match letter {
        'a' | 'e' | 'i' | 'o' | 'u' => Kind::Vowel,
        'y' if previous == Some(Kind::Consonant) => Kind::Vowel,
        _ => Kind::Consonant,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stemmed(word: &str) -> String {
        let mut letters: Vec<char> = word.chars().collect();
        stem(&mut letters);
        letters.into_iter().collect()
    }

    #[test]
    fn stems_agree_with_the_reference_program() {
        for pair in PAIRS.split_whitespace() {
            let (word, expected) = pair.split_once('>').unwrap();
            assert_eq!(stemmed(word), expected, "{word}");
        }
    }

    #[test]
    fn short_and_foreign_words_survive() {
        for word in ["", "a", "as", "is", "s", "ss", "日本", "é", "'s"] {
            assert!(stemmed(word).len() <= word.len(), "{word}");
        }
        assert_eq!(stemmed("as"), "as", "two letters stay");
        assert_eq!(stemmed("caféing"), "caféing".trim_end_matches("ing"));
        assert_eq!(stemmed("éaéé"), "éaéé");
    }

    /// What the stemmer of the Natural Language Toolkit makes of them in its mode `MARTIN_EXTENSIONS`.
    const PAIRS: &str = "
        caresses>caress ponies>poni ties>ti caress>caress cats>cat feed>feed agreed>agre plastered>plaster
        bled>bled motoring>motor sing>sing conflated>conflat troubled>troubl sized>size hopping>hop tanned>tan
        falling>fall hissing>hiss fizzed>fizz failing>fail filing>file happy>happi sky>sky relational>relat
        conditional>condit rational>ration valenci>valenc hesitanci>hesit digitizer>digit conformabli>conform
        possibly>possibl radicalli>radic differentli>differ vileli>vile analogousli>analog
        vietnamization>vietnam predication>predic operator>oper feudalism>feudal decisiveness>decis
        hopefulness>hope callousness>callous formaliti>formal sensitiviti>sensit sensibiliti>sensibl
        psychology>psycholog geology>geologi triplicate>triplic formative>form formalize>formal
        electriciti>electr electrical>electr hopeful>hope goodness>good revival>reviv allowance>allow
        inference>infer airliner>airlin gyroscopic>gyroscop adjustable>adjust defensible>defens irritant>irrit
        replacement>replac adjustment>adjust dependent>depend adoption>adopt homologou>homolog communism>commun
        activate>activ angulariti>angular homologous>homolog effective>effect bowdlerize>bowdler probate>probat
        rate>rate cease>ceas controll>control roll>roll yes>ye yellow>yellow syzygy>syzygi skies>ski dying>dy
        agreement>agreement generalizations>gener oscillators>oscil proteins>protein don't>don't ion>ion
        region>region u.s>u.";
}
