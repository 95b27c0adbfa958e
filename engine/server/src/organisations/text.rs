//! The text of a token: `rmt_ROLE_SECRET_CHECKSUM`.
//!
//! The prefix lets scanners find tokens that leaked; the checksum lets us refuse a mistyped one without a look into the
//! database. The secret is 256 random bits in base 62.

use super::Role;

/// Digits of base 62.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Digits that 256 bits take.
const SECRET_DIGITS: usize = 43;

/// Digits that 32 bits take.
const CHECKSUM_DIGITS: usize = 6;

/// A token's text. It prints as its prefix only.
#[derive(Clone)]
pub struct TokenText(String);

impl TokenText {
    /// Returns a new token of that role.
    ///
    /// # Errors
    ///
    /// Returns an error when the system gives no randomness.
    pub fn generate(role: Role) -> Result<Self, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let body = format!("rmt_{role}_{}", base62(&secret, SECRET_DIGITS));
        let checksum = checksum(&body);
        Ok(Self(format!("{body}_{checksum}")))
    }

    /// Returns the whole text, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for TokenText {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("TokenText(rmt_...)")
    }
}

/// Returns the text where it has the form of a token and its checksum holds.
#[must_use]
pub fn parse(text: &str) -> Option<TokenText> {
    let (body, found) = text.rsplit_once('_')?;
    let (role, secret) = body.strip_prefix("rmt_")?.split_once('_')?;
    let role_is_known = Role::ALL.iter().any(|known| known.name() == role);
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let well_formed = role_is_known && digits(secret, SECRET_DIGITS) && digits(found, CHECKSUM_DIGITS);
    (well_formed && checksum(body) == found).then(|| TokenText(text.to_owned()))
}

fn checksum(body: &str) -> String {
    base62(&crc32fast::hash(body.as_bytes()).to_be_bytes(), CHECKSUM_DIGITS)
}

/// Returns a number, its most significant byte first, in that many digits.
fn base62(bytes: &[u8], digits: usize) -> String {
    let mut number = bytes.to_vec();
    let mut text = vec![b'0'; digits];
    for place in text.iter_mut().rev() {
        let mut remainder = 0_u32;
        for byte in &mut number {
            let value = remainder * 256 + u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            remainder = value % 62;
        }
        *place = DIGITS.get(remainder as usize).copied().unwrap_or(b'0');
    }
    text.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_token_is_well_formed_and_no_two_are_the_same() {
        let token = TokenText::generate(Role::Ci).unwrap();
        assert!(parse(token.reveal()).is_some());
        assert!(token.reveal().starts_with("rmt_ci_"));
        assert_ne!(token.reveal(), TokenText::generate(Role::Ci).unwrap().reveal());
        assert!(!format!("{token:?}").contains(&token.reveal()[8..20]));
    }

    #[test]
    fn any_changed_character_breaks_the_checksum() {
        let token = TokenText::generate(Role::Admin).unwrap();
        for index in 0..token.reveal().len() {
            let mut bytes = token.reveal().as_bytes().to_vec();
            bytes[index] = if bytes[index] == b'x' { b'y' } else { b'x' };
            assert!(parse(std::str::from_utf8(&bytes).unwrap()).is_none(), "character {index}");
        }
    }

    #[test]
    fn numbers_fill_their_digits() {
        assert_eq!(base62(&[0xff; 4], 6), "4gfFC3");
        assert_eq!(base62(&[0; 32], 3), "000");
        assert_eq!(base62(&[0xff; 32], SECRET_DIGITS).len(), SECRET_DIGITS);
    }
}
