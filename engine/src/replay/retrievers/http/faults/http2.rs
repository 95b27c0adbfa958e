//! HTTP/2 that ends in the middle.

use futures::future::BoxFuture;
use tokio_rustls::server::TlsStream;

use super::asking::{asker, assert_failed, assert_found};
use super::server::{Connection, FaultServer, GOOD};
use super::tls::Authority;

type Secured = Connection<TlsStream<tokio::net::TcpStream>>;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:status: 200`, by its index in the static table (RFC 7541).
const STATUS_200: &[u8] = &[0x88];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Starts a server that speaks HTTP/2 over TLS, and does `answer` with the stream of each request.
async fn server<F>(authority: &Authority, answer: F) -> FaultServer
where
    F: for<'a> Fn(&'a mut Secured, u32) -> BoxFuture<'a, ()> + Clone + Send + Sync + 'static,
{
    let acceptor = authority.acceptor("127.0.0.1", false, &[b"h2"]);
    FaultServer::start(move |connection| {
        let (acceptor, answer) = (acceptor.clone(), answer.clone());
        Box::pin(async move {
            let Some(mut connection) = connection.secured(&acceptor).await else { return };
            connection.read(24).await;
            connection.write(&frame(SETTINGS, 0, 0, &[])).await;
            loop {
                let head = connection.read(9).await;
                let [_, a, b, kind, flags, stream @ ..] = head.as_slice() else { return };
                let length = usize::from(*a) << 8 | usize::from(*b);
                let stream = u32::from_be_bytes(stream.try_into().unwrap());
                let (kind, flags) = (*kind, *flags);
                connection.read(length).await;
                if kind == SETTINGS && flags == 0 {
                    connection.write(&frame(SETTINGS, 1, 0, &[])).await;
                }
                let is_end = flags & END_STREAM != 0;
                if is_end && (kind == HEADERS || kind == DATA) {
                    connection.count_request();
                    answer(&mut connection, stream).await;
                }
            }
        })
    })
    .await
}

async fn good(connection: &mut Secured, stream: u32) {
    connection.write(&frame(HEADERS, END_HEADERS, stream, STATUS_200)).await;
    connection.write(&frame(DATA, END_STREAM, stream, GOOD.as_bytes())).await;
}

#[tokio::test]
async fn an_answer_over_http2_is_an_answer() {
    let authority = Authority::new();
    let server = server(&authority, |connection, stream| Box::pin(good(connection, stream))).await;
    let asker = asker(&authority.plan(&server));
    for _ in 0..5 {
        assert_found(&asker.ask().await, &["a", "b"], 1);
    }
    assert_eq!((server.requests(), server.connections()), (5, 1));
}

#[tokio::test]
async fn a_stream_that_is_reset_before_its_answer_is_tried_again() {
    let authority = Authority::new();
    // INTERNAL_ERROR, REFUSED_STREAM and ENHANCE_YOUR_CALM; the last connection error is NO_ERROR.
    for code in [2_u32, 7, 11] {
        let server = server(&authority, move |connection, stream| {
            Box::pin(async move {
                connection.write(&frame(RST_STREAM, 0, stream, &code.to_be_bytes())).await;
            })
        })
        .await;
        let ranking = asker(&authority.plan(&server)).ask().await;
        assert_failed(&ranking, "connect", 2, "the connection ended before an answer began");
        assert_eq!(server.requests(), 2, "code {code}");
    }
}

#[tokio::test]
async fn a_stream_that_is_reset_in_its_body_is_tried_again() {
    let authority = Authority::new();
    let server = server(&authority, |connection, stream| {
        Box::pin(async move {
            connection.write(&frame(HEADERS, END_HEADERS, stream, STATUS_200)).await;
            connection.write(&frame(DATA, 0, stream, &GOOD.as_bytes()[..20])).await;
            connection.write(&frame(RST_STREAM, 0, stream, &2_u32.to_be_bytes())).await;
        })
    })
    .await;
    assert_failed(&asker(&authority.plan(&server)).ask().await, "body", 2, "the answer breaks off after ");
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn a_connection_that_says_goodbye_is_replaced() {
    let authority = Authority::new();
    // GOAWAY for all streams, then the end: once with the first request, then good answers.
    let server = server(&authority, |connection, stream| {
        Box::pin(async move {
            if connection.number > 0 {
                return good(connection, stream).await;
            }
            let mut goodbye = 0_u32.to_be_bytes().to_vec();
            goodbye.extend(0_u32.to_be_bytes());
            connection.write(&frame(GOAWAY, 0, 0, &goodbye)).await;
            tokio::io::AsyncWriteExt::shutdown(&mut connection.stream).await.unwrap();
        })
    })
    .await;
    assert_found(&asker(&authority.plan(&server)).ask().await, &["a", "b"], 2);
    assert_eq!((server.requests(), server.connections()), (2, 2));
}
