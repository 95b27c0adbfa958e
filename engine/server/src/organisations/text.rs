//! The text of a token: `rmt_ROLE_SECRET_CHECKSUM`.
//!
//! The prefix lets scanners find tokens that leaked. The secret is 256 random bits in base 62. The checksum is the beginning of
//! a keyed hash: who does not know the server's key makes no token that is worth a look into the database. Tokens of the first
//! servers have a plain CRC-32 instead, which is shorter; they hold on, and no new ones are made.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Role;

/// Digits of base 62.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Digits that 256 bits take.
const SECRET_DIGITS: usize = 43;

/// Digits that 32 bits take.
const PLAIN_DIGITS: usize = 6;

/// Digits that 64 bits take.
const KEYED_DIGITS: usize = 11;

/// What the key is used for here, and nowhere else.
const PURPOSE: &[u8] = b"rematch token checksum\0";

/// A token's text. It prints as its prefix only.
#[derive(Clone)]
pub struct TokenText(String);

/// What the text of a token says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checksum {
    /// It was made under this key.
    Keyed,
    /// It looks like one of the first servers; anybody can make such a text.
    Plain,
}

impl TokenText {
    /// Returns a new token of that role.
    ///
    /// # Errors
    ///
    /// Returns an error when the system gives no randomness.
    pub fn generate(role: Role, key: &[u8; 32]) -> Result<Self, getrandom::Error> {
        let body = new_body(role)?;
        let checksum = keyed(&body, key);
        Ok(Self(format!("{body}_{checksum}")))
    }

    /// Returns a token as the first servers made them.
    #[cfg(test)]
    pub(super) fn generate_plain(role: Role) -> Self {
        let body = new_body(role).unwrap();
        let checksum = plain(&body);
        Self(format!("{body}_{checksum}"))
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
pub(super) fn parse(text: &str, key: &[u8; 32]) -> Option<(TokenText, Checksum)> {
    let (body, found) = text.rsplit_once('_')?;
    let (role, secret) = body.strip_prefix("rmt_")?.split_once('_')?;
    let role_is_known = Role::ALL.iter().any(|known| known.name() == role);
    let is_of_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !role_is_known || secret.len() != SECRET_DIGITS || !is_of_digits(secret) || !is_of_digits(found) {
        return None;
    }
    let (holds, checksum) = match found.len() {
        // It guards a look into the database and no secret: who measures how much of it is right gains that look.
        KEYED_DIGITS => (keyed(body, key) == found, Checksum::Keyed),
        PLAIN_DIGITS => (plain(body) == found, Checksum::Plain),
        _ => return None,
    };
    holds.then(|| (TokenText(text.to_owned()), checksum))
}

fn new_body(role: Role) -> Result<String, getrandom::Error> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    Ok(format!("rmt_{role}_{}", base62(&secret, SECRET_DIGITS)))
}

fn keyed(body: &str, key: &[u8; 32]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| unreachable!("any length is a key"));
    mac.update(PURPOSE);
    mac.update(body.as_bytes());
    let hash: [u8; 32] = mac.finalize().into_bytes().into();
    base62(hash.first_chunk::<8>().map_or(&[], <[u8; 8]>::as_slice), KEYED_DIGITS)
}

fn plain(body: &str) -> String {
    base62(&crc32fast::hash(body.as_bytes()).to_be_bytes(), PLAIN_DIGITS)
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

    const KEY: [u8; 32] = [7; 32];

    #[test]
    fn a_new_token_is_well_formed_and_no_two_are_the_same() {
        let token = TokenText::generate(Role::Ci, &KEY).unwrap();
        assert_eq!(parse(token.reveal(), &KEY).map(|(_, checksum)| checksum), Some(Checksum::Keyed));
        assert!(token.reveal().starts_with("rmt_ci_"));
        assert_ne!(token.reveal(), TokenText::generate(Role::Ci, &KEY).unwrap().reveal());
        assert!(!format!("{token:?}").contains(&token.reveal()[8..20]));
    }

    #[test]
    fn a_token_of_another_key_is_none_and_one_of_the_first_servers_is() {
        let stranger = TokenText::generate(Role::Admin, &[8; 32]).unwrap();
        assert!(parse(stranger.reveal(), &KEY).is_none());
        let old = TokenText::generate_plain(Role::Admin);
        assert_eq!(parse(old.reveal(), &KEY).map(|(_, checksum)| checksum), Some(Checksum::Plain));
    }

    #[test]
    fn any_changed_character_breaks_the_checksum() {
        for token in [TokenText::generate(Role::Admin, &KEY).unwrap(), TokenText::generate_plain(Role::Admin)] {
            for index in 0..token.reveal().len() {
                let mut bytes = token.reveal().as_bytes().to_vec();
                bytes[index] = if bytes[index] == b'x' { b'y' } else { b'x' };
                assert!(parse(std::str::from_utf8(&bytes).unwrap(), &KEY).is_none(), "character {index}");
            }
        }
    }

    #[test]
    fn numbers_fill_their_digits() {
        assert_eq!(base62(&[0xff; 4], 6), "4gfFC3");
        assert_eq!(base62(&[0; 32], 3), "000");
        assert_eq!(base62(&[0xff; 32], SECRET_DIGITS).len(), SECRET_DIGITS);
        assert_eq!(base62(&[0xff; 8], KEYED_DIGITS).len(), KEYED_DIGITS);
    }
}
