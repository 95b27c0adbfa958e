//! What an operator allows besides the public internet.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A host, an address or a range of addresses, with a port or with all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    place: Place,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// In small letters, without a dot at its end.
    Host(String),
    Range {
        base: IpAddr,
        prefix: u8,
    },
}

/// Why a text allows nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` names no host, expected `host`, `host:port`, an address such as `10.1.2.3` or `[fd00::1]:9200`, or a range \
     such as `10.0.0.0/8`"
)]
pub struct AllowedError {
    text: String,
}

impl Allowed {
    /// Returns whether it allows the address, which the host has, at the port.
    pub(super) fn holds(&self, host: &str, address: IpAddr, port: u16) -> bool {
        let is_port = self.port.is_none_or(|allowed| allowed == port);
        is_port
            && match &self.place {
                Place::Host(allowed) => *allowed == host,
                Place::Range { base, prefix } => within(address.to_canonical(), *base, *prefix),
            }
    }

    /// Returns whether it names this very port.
    pub(super) fn names_port(&self) -> bool {
        self.port.is_some()
    }
}

/// Returns a host in small letters, without brackets or a dot at its end.
pub(super) fn plain(host: &str) -> String {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

fn within(address: IpAddr, base: IpAddr, prefix: u8) -> bool {
    let differs = |one: u128, other: u128, length: u32| {
        (one ^ other).checked_shr(length.saturating_sub(u32::from(prefix))).unwrap_or(0) != 0
    };
    match (address, base) {
        (IpAddr::V4(address), IpAddr::V4(base)) => {
            !differs(u128::from(address.to_bits()), u128::from(base.to_bits()), 32)
        }
        (IpAddr::V6(address), IpAddr::V6(base)) => !differs(address.to_bits(), base.to_bits(), 128),
        _ => false,
    }
}

impl FromStr for Allowed {
    type Err = AllowedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text.trim()).ok_or_else(|| AllowedError { text: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<Allowed> {
    if let Some((base, rest)) = text.split_once('/') {
        let (prefix, port) = match rest.split_once(':') {
            Some((prefix, port)) => (prefix, Some(number(port)?)),
            None => (rest, None),
        };
        let (base, prefix) = (address(base)?, prefix.parse().ok()?);
        let most = if base.is_ipv4() { 32 } else { 128 };
        return (prefix <= most).then_some(Allowed { place: Place::Range { base, prefix }, port });
    }
    if let Some(base) = address(text) {
        return Some(Allowed { place: exactly(base), port: None });
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(number(port)?)),
        None => (text, None),
    };
    if let Some(base) = address(host) {
        return Some(Allowed { place: exactly(base), port });
    }
    let host = plain(host);
    let legal = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '_');
    // A number alone is an address in disguise, which URLs hold in its usual form.
    let named = host.chars().all(legal) && host.chars().any(|letter| letter.is_ascii_alphabetic());
    named.then_some(Allowed { place: Place::Host(host), port })
}

fn exactly(base: IpAddr) -> Place {
    Place::Range { base, prefix: if base.is_ipv4() { 32 } else { 128 } }
}

fn number(port: &str) -> Option<u16> {
    port.parse().ok().filter(|port| *port > 0)
}

fn address(text: &str) -> Option<IpAddr> {
    let plain = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    plain.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

impl fmt::Display for Allowed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Host(host) => formatter.write_str(host)?,
            Place::Range { base: IpAddr::V4(base), prefix } => write!(formatter, "{base}/{prefix}")?,
            Place::Range { base: IpAddr::V6(base), prefix } => write!(formatter, "[{base}]/{prefix}")?,
        }
        self.port.map_or(Ok(()), |port| write!(formatter, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_addresses_and_ranges_are_read_with_and_without_a_port() {
        let cases = [
            ("Search.Internal.", "search.internal"),
            ("search.internal:9200", "search.internal:9200"),
            ("localhost", "localhost"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("10.1.2.3:80", "10.1.2.3/32:80"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.0/8:9200", "10.0.0.0/8:9200"),
            ("::1", "[::1]/128"),
            ("[::1]:9200", "[::1]/128:9200"),
            ("fd00::/8:9200", "[fd00::]/8:9200"),
            ("::ffff:10.1.2.3", "10.1.2.3/32"),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Allowed>().unwrap().to_string(), expected);
            assert_eq!(expected.parse::<Allowed>().unwrap(), text.parse().unwrap());
        }
        for text in
            ["", ":80", "host:", "host:0", "host:70000", "10.0.0.0/33", "::/129", "a b", "http://h", "2130706433", "*"]
        {
            assert!(text.parse::<Allowed>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_range_holds_what_is_in_it_at_its_port_only() {
        let holds = |allowed: &str, host: &str, address: &str, port| {
            allowed.parse::<Allowed>().unwrap().holds(host, address.parse().unwrap(), port)
        };
        assert!(holds("10.0.0.0/8", "h", "10.255.1.2", 1) && !holds("10.0.0.0/8", "h", "11.0.0.0", 1));
        assert!(holds("0.0.0.0/0", "h", "127.0.0.1", 1) && !holds("0.0.0.0/0", "h", "::1", 1));
        assert!(holds("127.0.0.1:80", "h", "127.0.0.1", 80) && !holds("127.0.0.1:80", "h", "127.0.0.1", 81));
        assert!(holds("127.0.0.1", "h", "::ffff:127.0.0.1", 80), "the same host in another dress");
        assert!(holds("search", "search", "10.0.0.1", 9200) && !holds("search", "search.evil", "10.0.0.1", 9200));
    }
}
