//! Where the scheduler of a cluster listens.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The port of a scheduler where none is written.
const DEFAULT_PORT: u16 = 50050;

/// The address of the scheduler of an Apache DataFusion Ballista cluster, written `df://HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterAddress {
    host: String,
    port: u16,
}

/// Why a text is no address of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no cluster, expected `df://HOST:PORT` (the port is 50050 where none is given)")]
pub struct ClusterAddressError(String);

impl ClusterAddress {
    /// Returns the host, a name or an address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for ClusterAddress {
    type Err = ClusterAddressError;

    fn from_str(text: &str) -> Result<Self, ClusterAddressError> {
        let wrong = || ClusterAddressError(text.to_owned());
        let url = url::Url::parse(text).map_err(|_| wrong())?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        let nothing_more = bare && url.fragment().is_none() && matches!(url.path(), "" | "/");
        if url.scheme() != "df" || !nothing_more {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port: url.port().unwrap_or(DEFAULT_PORT) })
    }
}

impl fmt::Display for ClusterAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "df://{}:{}", self.host, self.port)
    }
}

impl TryFrom<String> for ClusterAddress {
    type Error = ClusterAddressError;

    fn try_from(text: String) -> Result<Self, ClusterAddressError> {
        text.parse()
    }
}

impl From<ClusterAddress> for String {
    fn from(address: ClusterAddress) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_read_and_printed() {
        for (text, printed) in [
            ("df://search-1:50050", "df://search-1:50050"),
            ("df://10.0.0.7", "df://10.0.0.7:50050"),
            ("df://[::1]:9/", "df://[::1]:9"),
        ] {
            assert_eq!(text.parse::<ClusterAddress>().expect(text).to_string(), printed);
        }
    }

    #[test]
    fn what_is_no_scheduler_is_refused_with_the_form_that_is_meant() {
        for text in [
            "",
            "host:50050",
            "http://host:50050",
            "df://",
            "df://u:p@host",
            "df://host/path",
            "df://host?x=1",
            "df://host:99999",
        ] {
            let error = text.parse::<ClusterAddress>().expect_err(text);
            assert!(error.to_string().contains("df://HOST:PORT"), "{error}");
        }
    }
}
