//! Every number of 64 bits in JSON: `#[serde(with = "rematch_metrics::every_float")]`.
//!
//! JSON has no infinity and no NaN: both are written as `null`, which is read as no number. Sums of finite numbers can come to either,
//! and whoever reads such a sum must have what it was. So a finite number is written as a number, and another one as a text: the
//! hexadecimal digits of its bits.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserializer, Serializer};

/// Writes a number.
///
/// # Errors
///
/// Returns the serializer's own errors.
pub fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    match number.is_finite() {
        true => serializer.serialize_f64(*number),
        false => serializer.serialize_str(&format!("{:016x}", number.to_bits())),
    }
}

/// Reads a number that [`serialize`] wrote, to the bit.
///
/// # Errors
///
/// Returns an error where there is neither a number nor the digits of one.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    deserializer.deserialize_any(EveryFloat)
}

struct EveryFloat;

impl Visitor<'_> for EveryFloat {
    type Value = f64;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number, or the 16 hexadecimal digits of one that is not finite")
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<f64, E> {
        Ok(number)
    }

    fn visit_str<E: Error>(self, digits: &str) -> Result<f64, E> {
        let bits = u64::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 16);
        bits.map(f64::from_bits).ok_or_else(|| E::invalid_value(Unexpected::Str(digits), &self))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    struct Stored(#[serde(with = "super")] f64);

    fn read(text: &str) -> Result<f64, serde_json::Error> {
        serde_json::from_str::<Stored>(text).map(|stored| stored.0)
    }

    #[test]
    fn a_finite_number_is_written_as_one() {
        assert_eq!(serde_json::to_string(&Stored(0.25)).unwrap(), "0.25");
        assert_eq!(serde_json::to_string(&Stored(f64::INFINITY)).unwrap(), "\"7ff0000000000000\"");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["null", "\"\"", "\"inf\"", "\"7ff\"", "\"+7ff00000000000000\"", "[1.0]"] {
            assert!(read(text).is_err(), "{text}");
        }
        let error = read("\"7ff\"").unwrap_err().to_string();
        assert!(error.contains("16 hexadecimal digits"), "{error}");
    }

    proptest! {
        #[test]
        fn every_number_comes_back_to_the_bit(bits: u64) {
            for bits in [bits, bits | f64::INFINITY.to_bits(), 0, (-0.0_f64).to_bits(), f64::NAN.to_bits()] {
                let text = serde_json::to_string(&Stored(f64::from_bits(bits))).unwrap();
                prop_assert_eq!(read(&text).unwrap().to_bits(), bits, "{}", text);
            }
        }
    }
}
