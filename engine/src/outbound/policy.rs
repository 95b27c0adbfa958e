//! The decision.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::allowed::{Allowed, AllowedError, plain};
use super::error::OutboundError;
use super::ports::service;
use super::ranges::reserved;

/// Finds the addresses of a name. It may block.
pub(super) type Lookup = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// Whom this process may connect to. By default everybody.
///
/// It is written as its rules, so that another process holds to the same ones. Names are resolved by whoever connects.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Outbound(Option<Arc<Rules>>);

#[derive(Clone)]
struct Rules {
    allowed: Vec<Allowed>,
    closed: Vec<Closed>,
    lookup: Lookup,
}

/// The rules in words. Everybody is a word too: what is left out, or `null`, is nobody's rule.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Written {
    Everybody,
    PublicAnd { allowed: Vec<String>, closed: Vec<Closed> },
}

/// A service of the operator's that nobody is connected to, whatever is allowed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Closed {
    /// In small letters, without a dot at its end.
    host: String,
    port: u16,
    /// What the host has, once somebody asked for the port.
    #[serde(skip)]
    addresses: OnceLock<Vec<IpAddr>>,
}

impl Closed {
    fn holds(&self, host: &str, address: IpAddr, port: u16, lookup: &Lookup) -> bool {
        self.port == port && (self.host == host || self.has(address.to_canonical(), lookup))
    }

    /// Returns whether the address is the host's. Where that cannot be told, it is.
    fn has(&self, address: IpAddr, lookup: &Lookup) -> bool {
        if let Some(known) = self.addresses.get() {
            return known.contains(&address);
        }
        let found = self.host.parse::<IpAddr>().map(|own| vec![own]).or_else(|_| lookup(&self.host));
        let Ok(found) = found else { return true };
        self.addresses.get_or_init(|| found.iter().map(IpAddr::to_canonical).collect()).contains(&address)
    }
}

impl Outbound {
    /// Returns the policy of a server: the public internet, over HTTP and HTTPS, and what is allowed besides.
    #[must_use]
    pub fn public_and(allowed: Vec<Allowed>) -> Self {
        Self(Some(Arc::new(Rules { allowed, closed: Vec::new(), lookup: Arc::new(system_lookup) })))
    }

    /// Returns the policy by which nobody is connected to that service of the operator's either, whatever is allowed: a range
    /// that he allows may hold it. Whoever may connect to everybody still may.
    #[must_use]
    pub fn but_not(self, host: &str, port: u16) -> Self {
        let Some(rules) = &self.0 else { return self };
        let mut rules = Rules::clone(rules);
        rules.closed.push(Closed { host: plain(host), port, addresses: OnceLock::new() });
        Self(Some(Arc::new(rules)))
    }

    /// Returns the policy with name resolution of one's own.
    #[cfg(test)]
    pub(crate) fn with_lookup(
        allowed: Vec<Allowed>,
        lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(Rules { allowed, closed: Vec::new(), lookup: Arc::new(lookup) })))
    }

    /// Returns whether anybody is refused.
    #[must_use]
    pub fn is_restricted(&self) -> bool {
        self.0.is_some()
    }

    /// Checks what can be said of a URL before a name in it is resolved, and returns its port. A host that is an address, in
    /// whatever spelling, is judged here; a name is judged when it is resolved, by [`Self::addresses`].
    ///
    /// # Errors
    ///
    /// Returns an error where the URL may not be asked.
    pub fn check_url(&self, url: &Url) -> Result<u16, OutboundError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OutboundError::Scheme { scheme: url.scheme().to_owned() });
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(OutboundError::Host);
        };
        if self.is_restricted() && (!url.username().is_empty() || url.password().is_some()) {
            return Err(OutboundError::User);
        }
        match host {
            Host::Ipv4(address) => self.check_address(&address.to_string(), address.into(), port)?,
            Host::Ipv6(address) => self.check_address(&format!("[{address}]"), address.into(), port)?,
            Host::Domain(name) => self.check_name(name, port)?,
        }
        Ok(port)
    }

    /// Checks what can be said of a text before a name in it is resolved.
    ///
    /// # Errors
    ///
    /// Returns an error where it is no URL, or one that may not be asked.
    pub fn check_text(&self, url: &str) -> Result<u16, OutboundError> {
        let parsed =
            Url::parse(url).map_err(|error| OutboundError::Url { url: url.to_owned(), reason: error.to_string() })?;
        self.check_url(&parsed)
    }

    /// Returns the addresses of a host, all of which may be connected to at the port. It blocks while a name is resolved.
    ///
    /// # Errors
    ///
    /// Returns an error where the name does not resolve, or has an address that may not be connected to: one that may and one
    /// that may not are what an attack looks like.
    pub fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, OutboundError> {
        let name = plain(host);
        let unresolved = |reason: String| OutboundError::Unresolved { host: host.to_owned(), reason };
        let lookup = self.0.as_ref().map(|rules| Arc::clone(&rules.lookup));
        let found = match (name.parse::<IpAddr>(), lookup) {
            (Ok(address), _) => vec![address],
            (Err(_), Some(lookup)) => lookup(&name).map_err(|error| unresolved(error.to_string()))?,
            (Err(_), None) => system_lookup(&name).map_err(|error| unresolved(error.to_string()))?,
        };
        if found.is_empty() {
            return Err(unresolved("it has no address".to_owned()));
        }
        for address in &found {
            self.check_address(host, *address, port)?;
        }
        Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    fn check_name(&self, name: &str, port: u16) -> Result<(), OutboundError> {
        let Some(rules) = &self.0 else { return Ok(()) };
        let plain = plain(name);
        // Loopback by RFC 6761, whatever a resolver says.
        let is_local = plain == "localhost" || plain.ends_with(".localhost");
        let loopback = IpAddr::from([127, 0, 0, 1]);
        if is_local && !rules.allowed.iter().any(|allowed| allowed.holds(&plain, loopback, port)) {
            return Err(OutboundError::Range { host: name.to_owned(), port, range: "this machine" });
        }
        // An address may allow the port; which ones the name has is known when it is resolved.
        let may_be_allowed = rules.allowed.iter().any(Allowed::names_port);
        match service(port) {
            Some(service) if !may_be_allowed => Err(OutboundError::Port { host: name.to_owned(), port, service }),
            _ => Ok(()),
        }
    }

    fn check_address(&self, host: &str, address: IpAddr, port: u16) -> Result<(), OutboundError> {
        let Some(rules) = &self.0 else { return Ok(()) };
        let name = plain(host);
        let mut holding = rules.allowed.iter().filter(|allowed| allowed.holds(&name, address, port)).peekable();
        let is_allowed = holding.peek().is_some();
        let is_port_allowed = holding.any(Allowed::names_port);
        let host = || host.to_owned();
        if rules.closed.iter().any(|closed| closed.holds(&name, address, port, &rules.lookup)) {
            return Err(OutboundError::Closed { host: host(), port });
        }
        if let Some(range) = reserved(address).filter(|_| !is_allowed) {
            return Err(OutboundError::Range { host: host(), port, range });
        }
        match service(port) {
            Some(service) if !is_port_allowed => Err(OutboundError::Port { host: host(), port, service }),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => formatter.write_str("Outbound(everybody)"),
            Some(rules) => {
                let mut fields = formatter.debug_struct("Outbound");
                fields.field("allowed", &rules.allowed).field("closed", &rules.closed).finish()
            }
        }
    }
}

impl From<Outbound> for Written {
    fn from(outbound: Outbound) -> Self {
        let Some(rules) = outbound.0 else { return Self::Everybody };
        let allowed = rules.allowed.iter().map(ToString::to_string).collect();
        Self::PublicAnd { allowed, closed: rules.closed.clone() }
    }
}

impl TryFrom<Written> for Outbound {
    type Error = AllowedError;

    fn try_from(written: Written) -> Result<Self, AllowedError> {
        let Written::PublicAnd { allowed, closed } = written else { return Ok(Self::default()) };
        let allowed = allowed.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        Ok(Self(Some(Arc::new(Rules { allowed, closed, lookup: Arc::new(system_lookup) }))))
    }
}

fn system_lookup(name: &str) -> io::Result<Vec<IpAddr>> {
    use std::net::ToSocketAddrs as _;

    // The port is of no meaning here.
    let mut addresses: Vec<IpAddr> = (name, 0_u16).to_socket_addrs()?.map(|address| address.ip()).collect();
    addresses.dedup();
    Ok(addresses)
}
