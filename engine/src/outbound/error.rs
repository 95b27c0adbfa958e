//! Why a host is not connected to.

/// Why a host is not connected to. It names no address that a name leads to: who asks may not know it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundError {
    /// The text is no URL.
    #[error("`{url}` is not a URL: {reason}")]
    Url {
        /// What was written.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The scheme is none that is asked.
    #[error("`{scheme}` is not asked from here, expected `http` or `https`")]
    Scheme {
        /// What was found.
        scheme: String,
    },
    /// There is no host.
    #[error("the URL names no host")]
    Host,
    /// There is a user or a password.
    #[error("the URL holds a user; credentials belong into `auth`")]
    User,
    /// The address, or one of those that the name has, is not of the public internet.
    #[error(
        "`{host}` is {range}, to which this server does not connect; its operator can allow it: \
         `--allow-outbound {host}:{port}`"
    )]
    Range {
        /// The host, as it was written.
        host: String,
        /// The port.
        port: u16,
        /// What kind of address it is.
        range: &'static str,
    },
    /// The port is that of a service that is no search engine.
    #[error(
        "port {port} of `{host}` is {service}'s, to which this server does not connect; its operator can allow it: \
         `--allow-outbound {host}:{port}`"
    )]
    Port {
        /// The host, as it was written.
        host: String,
        /// The port.
        port: u16,
        /// Whose port it is.
        service: &'static str,
    },
    /// It is a service of the operator's own.
    #[error("port {port} of `{host}` is a service of this server's own, to which no retriever connects")]
    Closed {
        /// The host, as it was written.
        host: String,
        /// The port.
        port: u16,
    },
    /// The name does not resolve.
    #[error("`{host}` does not resolve: {reason}")]
    Unresolved {
        /// The host.
        host: String,
        /// What the system says.
        reason: String,
    },
}
