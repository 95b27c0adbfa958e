//! Scores as they are written in runs.

/// Powers of ten that are exact as 64-bit floats, as far as they are needed here.
const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// Returns the number that a text stands for, as [`str::parse`] does.
///
/// Most scores are a few digits with a point: digits and power of ten are both exact then, so one division rounds as it
/// should (Clinger 1990, "How to read floating point numbers accurately").
pub(super) fn parse_score(text: &str) -> Option<f64> {
    short_decimal(text.as_bytes()).or_else(|| text.parse().ok())
}

fn short_decimal(text: &[u8]) -> Option<f64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    // 15 digits and a point.
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    let (mut value, mut seen, mut point) = (0_u64, 0_usize, None);
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                value = value * 10 + u64::from(byte - b'0');
                seen += 1;
            }
            b'.' if point.is_none() => point = Some(seen),
            _ => return None,
        }
    }
    if seen == 0 || seen > 15 {
        return None;
    }
    let power = POWERS.get(point.map_or(0, |point| seen - point))?;
    #[expect(clippy::cast_precision_loss, reason = "15 digits are exact")]
    let number = value as f64 / power;
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn decimals_of_any_length_are_those_of_the_standard_parser(
            text in prop_oneof!["-?[0-9]{0,12}(\\.[0-9]{0,12})?", "-?[0-9]{1,3}\\.[0-9]{6}", "[-+.0-9:/ e\u{0}-\u{ff}]{0,14}"],
        ) {
            let expected = text.parse::<f64>().ok().map(f64::to_bits);
            prop_assert_eq!(parse_score(&text).map(f64::to_bits), expected);
        }
    }

    #[test]
    fn scores_are_those_of_the_standard_parser() {
        let written = [
            "0",
            "-0",
            "1",
            "13.312500",
            ".5",
            "5.",
            "-0.1",
            "123456789012345",
            "0.123456789012345",
            "1234567890123456",
            "9007199254740993",
            "1e10",
            "inf",
            "-inf",
            "NaN",
            "",
            "-",
            ".",
            "-.",
            "+1",
            "1.2.3",
            "1_0",
            "0x1",
            "--1",
            "0.000000000000001",
            "999999999999999.",
            "99999999.9999999",
        ];
        for text in written {
            let expected = text.parse::<f64>().ok().map(f64::to_bits);
            assert_eq!(parse_score(text).map(f64::to_bits), expected, "{text}");
        }
        for number in (0..20_000_u32).map(|number| f64::from(number.wrapping_mul(2_654_435_761)) / 1024.0) {
            for text in [number.to_string(), format!("{number:.6}"), format!("{number:.1}"), format!("-{number:.9}")] {
                assert_eq!(parse_score(&text), text.parse().ok(), "{text}");
            }
        }
    }
}
