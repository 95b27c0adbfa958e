//! Certificates and protocols that are not acceptable.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use super::asking::{asker, assert_failed, assert_found, milliseconds, plan, policy};
use super::server::{Connection, FaultServer, good};
use crate::benchmark::stages::http::HttpPlan;
use crate::benchmark::{PolicyPlan, TimeSpan};

/// An authority of the test's own, in a file.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, "the test's authority");
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("authority.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    /// Returns what makes a server speak TLS with a certificate for `host`.
    pub(super) fn acceptor(&self, host: &str, expired: bool, protocols: &[&[u8]]) -> TlsAcceptor {
        let mut parameters = CertificateParams::new(vec![host.to_owned()]).unwrap();
        if expired {
            parameters.not_before = date_time_ymd(2001, 1, 1);
            parameters.not_after = date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &*self.issuer).unwrap();
        acceptor(certificate.der().clone(), &key, protocols)
    }

    pub(super) fn plan(&self, server: &FaultServer) -> HttpPlan {
        let mut plan = plan(&server.url().replace("http:", "https:"));
        plan.certificate_authority = Some(self.folder.path().join("authority.pem"));
        plan
    }
}

fn acceptor(
    certificate: rustls::pki_types::CertificateDer<'static>,
    key: &KeyPair,
    protocols: &[&[u8]],
) -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let configuration = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut configuration =
        configuration.unwrap().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    configuration.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    TlsAcceptor::from(Arc::new(configuration))
}

/// Starts a server that speaks TLS and gives good answers.
async fn server(acceptor: TlsAcceptor) -> FaultServer {
    FaultServer::start(move |connection: Connection| {
        let acceptor = acceptor.clone();
        Box::pin(async move {
            let Some(mut connection) = connection.secured(&acceptor).await else { return };
            while connection.read_request().await {
                connection.write(&good()).await;
            }
        })
    })
    .await
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_once_it_is_named() {
    let authority = Authority::new();
    let server = server(authority.acceptor("127.0.0.1", false, &[])).await;
    assert_found(&asker(&authority.plan(&server)).ask().await, &["a", "b"], 1);
}

#[tokio::test]
async fn certificates_that_are_not_acceptable_are_not_tried_twice() {
    let authority = Authority::new();
    let expired = server(authority.acceptor("127.0.0.1", true, &[])).await;
    assert_failed(&asker(&authority.plan(&expired)).ask().await, "tls", 1, "the server needs a new certificate");
    let other_host = server(authority.acceptor("other.example", false, &[])).await;
    assert_failed(
        &asker(&authority.plan(&other_host)).ask().await,
        "tls",
        1,
        "the certificate is for another host than the URL's",
    );

    let key = KeyPair::generate().unwrap();
    let alone = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let self_signed = server(acceptor(alone.der().clone(), &key, &[])).await;
    let mut stranger = authority.plan(&self_signed);
    assert_failed(&asker(&stranger).ask().await, "tls", 1, "`certificate-authority` names a file");
    stranger.certificate_authority = None;
    assert_failed(&asker(&stranger).ask().await, "tls", 1, "certificate");
    for server in [expired, other_host, self_signed] {
        assert_eq!(server.requests(), 0);
    }
}

#[tokio::test]
async fn protocols_that_are_too_old_or_none_at_all_are_refused() {
    // What a server says that knows no newer version than TLS 1.0: an alert, or a greeting in that version.
    let mut greeting = vec![0x16, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
    greeting.extend([7; 32]);
    greeting.extend([0, 0, 0x2f, 0]);
    let alert = vec![0x15, 3, 1, 0, 2, 2, 70];
    let plain = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_vec();
    for (name, said) in [("alert", alert), ("greeting", greeting), ("no TLS", plain)] {
        let server = FaultServer::start(move |mut connection: Connection| {
            let said = said.clone();
            Box::pin(async move {
                connection.read(5).await;
                connection.write(&said).await;
                connection.stall().await;
            })
        })
        .await;
        let ranking = asker(&plan(&server.url().replace("http:", "https:"))).ask().await;
        eprintln!("{name}: {:?}", ranking.error);
        assert_failed(&ranking, "tls", 1, "the server must speak TLS 1.2 or 1.3");
        assert_eq!(server.connections(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_greeting_that_stalls_ends_at_the_connect_deadline() {
    let server = FaultServer::start(|connection: Connection| Box::pin(async move { connection.stall().await })).await;
    let mut plan = plan(&server.url().replace("http:", "https:"));
    plan.policy = PolicyPlan { connect_timeout: TimeSpan(milliseconds(150)), retries: 0, ..policy() };
    let start = tokio::time::Instant::now();
    assert_failed(&asker(&plan).ask().await, "timeout", 1, "no connection within 150ms");
    assert!((milliseconds(150)..milliseconds(60_000)).contains(&start.elapsed()), "{:?}", start.elapsed());
}
