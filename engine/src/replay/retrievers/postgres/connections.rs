//! Connections: opened when they are needed, prepared once, kept for the next session.

use std::fmt::Write as _;
use std::str::FromStr as _;
use std::sync::Arc;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod};
use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_platform_verifier::Verifier;
use tokio_postgres::config::{Host, SslMode as ClientSslMode};
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::PostgresError;
use super::classify::failure;
use crate::benchmark::stages::{PostgresPlan, PostgresServer, SslMode, understood};
use crate::load::LoadError;
use crate::outbound::Outbound;
use crate::replay::RetrieveErrorKind as Kind;
use crate::replay::remote::{AttemptError, Redaction, Secret, Secrets};

/// The name under which the server lists the connections.
const APPLICATION: &str = "rematch";

/// The port where none is written.
const DEFAULT_PORT: u16 = 5432;

/// A pool of connections, and what must never be shown of them.
pub(super) struct Connections {
    pool: Pool,
    redaction: Redaction,
}

impl Connections {
    /// Returns a pool of up to `most` connections; it opens none.
    pub(super) fn new(
        plan: &PostgresPlan,
        most: usize,
        secrets: &Secrets,
        outbound: &Outbound,
    ) -> Result<Self, PostgresError> {
        let mut redaction = Redaction::default();
        let mut config = config(plan, secrets, &mut redaction)?;
        if let Some(variable) = &plan.password_env {
            let password = Secret::look_up(secrets, variable)?;
            redaction.add(password.expose());
            config.password(password.expose());
        }
        match plan.sslmode {
            Some(SslMode::Disable) => config.ssl_mode(ClientSslMode::Disable),
            Some(SslMode::Prefer) => config.ssl_mode(ClientSslMode::Prefer),
            Some(SslMode::Require) => config.ssl_mode(ClientSslMode::Require),
            None => &mut config,
        };
        if outbound.is_restricted() {
            pin(&mut config, outbound)?;
        }
        config.application_name(APPLICATION).connect_timeout(plan.policy.connect_timeout.0);
        let keeping = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match config.get_ssl_mode() {
            ClientSslMode::Disable => Manager::from_config(config, NoTls, keeping),
            _ => Manager::from_config(config, MakeRustlsConnect::new(tls(plan)?), keeping),
        };
        let settings = settings(plan);
        let prepare = Hook::async_fn(move |client, _| {
            let settings = settings.clone();
            Box::pin(async move { client.batch_execute(&settings).await.map_err(HookError::Backend) })
        });
        let pool = Pool::builder(manager).max_size(most).post_create(prepare).build();
        let pool = pool.map_err(|error| PostgresError::Pool(error.to_string()))?;
        Ok(Self { pool, redaction })
    }

    /// Returns a connection, which may have to be opened.
    pub(super) async fn lease(&self) -> Result<Lease, AttemptError> {
        match self.pool.get().await {
            Ok(object) => Ok(Lease(Some(object))),
            Err(PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error))) => {
                Err(self.redacted(failure(&error)))
            }
            Err(other) => Err(AttemptError::passing(Kind::Connect, format!("no connection: {other}"))),
        }
    }

    /// Returns a failure without secrets.
    pub(super) fn redacted(&self, failure: AttemptError) -> AttemptError {
        let message = self.redaction.redact(&failure.message).into_owned();
        AttemptError { message, ..failure }
    }
}

/// A connection for one question. It goes back to the pool only when it is told to: one that is still being asked when
/// nobody waits any more is closed, or the next question would wait for its answer.
pub(super) struct Lease(Option<Object>);

impl Lease {
    pub(super) fn client(&self) -> Option<&Object> {
        self.0.as_ref()
    }

    /// Gives the connection back.
    pub(super) fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}

fn config(plan: &PostgresPlan, secrets: &Secrets, redaction: &mut Redaction) -> Result<Config, PostgresError> {
    let (url, place) = match &plan.server {
        PostgresServer::Url(url) => (url.clone(), "`url`".to_owned()),
        PostgresServer::Env(variable) => {
            let url = Secret::look_up(secrets, variable)?.expose().to_owned();
            redaction.add(&url);
            (url, format!("the environment variable `{variable}`"))
        }
    };
    // What the parser says may hold a part of the URL.
    let config = Config::from_str(&understood(&url)).map_err(|_| PostgresError::Url { place })?;
    if let Some(password) = config.get_password() {
        redaction.add(&String::from_utf8_lossy(password));
    }
    Ok(config)
}

/// Writes the checked addresses of the hosts beside them, so that the client library resolves no name by itself.
fn pin(config: &mut Config, outbound: &Outbound) -> Result<(), PostgresError> {
    let (hosts, addresses, ports) =
        (config.get_hosts().to_vec(), config.get_hostaddrs().to_vec(), config.get_ports().to_vec());
    let port_of = |index: usize| ports.get(index).or(ports.first()).copied().unwrap_or(DEFAULT_PORT);
    if !addresses.is_empty() {
        // These are connected to, whatever the hosts are called; where their numbers differ, nothing is.
        for (index, address) in addresses.iter().enumerate() {
            outbound.addresses(&address.to_string(), port_of(index))?;
        }
        return Ok(());
    }
    let mut further = Vec::new();
    for (index, host) in hosts.iter().enumerate() {
        let Host::Tcp(host) = host else { return Err(PostgresError::Socket) };
        let found = outbound.addresses(host, port_of(index))?;
        for (place, address) in found.into_iter().enumerate() {
            match place {
                0 => drop(config.hostaddr(address.ip())),
                _ => further.push((host.clone(), address)),
            }
        }
    }
    // A host stands once for each address; ports stand once for all, or once for each.
    for (host, address) in further {
        config.host(host).hostaddr(address.ip());
        if ports.len() > 1 {
            config.port(address.port());
        }
    }
    if hosts.is_empty() { Err(PostgresError::Socket) } else { Ok(()) }
}

/// Returns the statements that make a connection read-only and end what takes too long.
fn settings(plan: &PostgresPlan) -> String {
    let milliseconds = plan.policy.timeout.0.as_millis().clamp(1, i32::MAX as u128);
    let mut settings = String::from("SET default_transaction_read_only = on; SET standard_conforming_strings = on; ");
    // Writing to a text cannot fail.
    let _ = write!(settings, "SET statement_timeout = {milliseconds}");
    settings
}

fn tls(plan: &PostgresPlan) -> Result<ClientConfig, PostgresError> {
    let provider: Arc<CryptoProvider> = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = match &plan.certificate_authority {
        None => Verifier::new(Arc::clone(&provider)),
        Some(path) => {
            let unreadable = |error: rustls::pki_types::pem::Error| LoadError::Format {
                path: path.clone(),
                reason: format!("not a PEM file of certificates: {error}"),
            };
            let certificates = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
            let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
            Verifier::new_with_extra_roots(certificates, Arc::clone(&provider))
        }
    };
    let verifier: Arc<dyn ServerCertVerifier> = Arc::new(verifier?);
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(versions.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn pinned(url: &str, allowed: &[&str]) -> Result<(usize, Vec<IpAddr>, Vec<u16>), String> {
        let mut config = Config::from_str(url).unwrap();
        let outbound =
            Outbound::with_lookup(allowed.iter().map(|allowed| allowed.parse().unwrap()).collect(), |name| {
                Ok(match name {
                    "two" => vec![IpAddr::from([1, 1, 1, 1]), IpAddr::from([1, 0, 0, 1])],
                    "mixed" => vec![IpAddr::from([1, 1, 1, 1]), IpAddr::from([10, 0, 0, 1])],
                    _ => vec![IpAddr::from([8, 8, 8, 8])],
                })
            });
        pin(&mut config, &outbound).map_err(|error| error.to_string())?;
        Ok((config.get_hosts().len(), config.get_hostaddrs().to_vec(), config.get_ports().to_vec()))
    }

    #[test]
    fn hosts_are_pinned_to_addresses_that_were_checked() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let (dns, one, other) = (address("8.8.8.8"), address("1.1.1.1"), address("1.0.0.1"));
        assert_eq!(pinned("postgres://db/shop", &[]), Ok((1, vec![dns], vec![5432])));
        assert_eq!(pinned("postgres://db:6432/shop", &[]), Ok((1, vec![dns], vec![6432])));
        assert_eq!(pinned("postgres://two,db/shop", &[]), Ok((3, vec![one, dns, other], vec![5432, 5432, 5432])));
        assert_eq!(pinned("postgres://two:1234,db:99/shop", &[]), Ok((3, vec![one, dns, other], vec![1234, 99, 1234])));
        let private = pinned("postgres://10.1.2.3/shop", &["10.0.0.0/8:5432"]);
        assert_eq!(private, Ok((1, vec![address("10.1.2.3")], vec![5432])));
    }

    #[test]
    fn private_hosts_and_sockets_are_refused() {
        for url in [
            "postgres://mixed/shop",
            "postgres://127.0.0.1/shop",
            "postgres://db,127.0.0.1/shop",
            "postgres://[::1]/shop",
            "host=db hostaddr=169.254.169.254",
            "hostaddr=10.0.0.1",
        ] {
            let refused = pinned(url, &["10.0.0.0/8:5433"]).unwrap_err();
            assert!(refused.contains("--allow-outbound"), "{url}: {refused}");
        }
        for url in ["postgres:///shop?host=/var/run/postgresql", "dbname=shop", "host=db,/tmp"] {
            let refused = pinned(url, &[]).unwrap_err();
            assert!(refused.contains("socket of this machine"), "{url}: {refused}");
        }
    }
}
