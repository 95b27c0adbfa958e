//! What may be asked, and what may not, in every spelling.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Outbound, OutboundError, PortResolver, refusal_behind};

/// Names as an attacker's name server has them.
fn lookup(name: &str) -> io::Result<Vec<IpAddr>> {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    Ok(match name {
        "search.example" => vec![address("93.184.216.34"), address("2606:2800:220:1::1")],
        "inner.example" => vec![address("10.0.0.7")],
        "both.example" => vec![address("93.184.216.34"), address("10.0.0.7")],
        "six.example" => vec![address("93.184.216.34"), address("::1")],
        "mapped.example" => vec![address("::ffff:169.254.169.254")],
        "metadata.google.internal" => vec![address("169.254.169.254")],
        "localhost" => vec![address("127.0.0.1")],
        "empty.example" => Vec::new(),
        "127.0.0.1.nip.example" => vec![address("127.0.0.1")],
        _ => return Err(io::Error::other("no such name")),
    })
}

fn outbound(allowed: &[&str]) -> Outbound {
    Outbound::with_lookup(allowed.iter().map(|allowed| allowed.parse().unwrap()).collect(), lookup)
}

/// Judges a URL as a client does: the text first, and at the connection what its name leads to.
fn judge(outbound: &Outbound, url: &str) -> Result<Vec<SocketAddr>, OutboundError> {
    let port = outbound.check_text(url)?;
    let url: url::Url = url.parse().unwrap();
    outbound.addresses(url.host_str().unwrap(), port)
}

/// Every one leads to this machine, its network, a service that is no search engine, or out of HTTP.
const REFUSED: [&str; 96] = [
    "http://127.0.0.1/",
    "http://127.0.0.1:9200/_search",
    "https://127.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://127.255.255.254/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0x7f.1/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://0177.0x0.0.1/",
    "http://127.0.0.1./",
    "http://127.0.0.1.:80/",
    "http://%31%32%37.0.0.1/",
    "http://127%2e0%2e0%2e1/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://１２７.0.0.1/",
    "http://0.0.0.0/",
    "http://0/",
    "http://0.0.0.0:8080/",
    "http://localhost/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://localhost:9200/",
    "http://a.localhost/",
    "http://a.b.localhost.:81/",
    "http://ｌｏｃａｌｈｏｓｔ/",
    "http://[::1]/",
    "http://[::1]:9200/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[0000::0001]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[0:0:0:0:0:ffff:7f00:0001]/",
    "http://[::ffff:8.8.8.8]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:169.254.169.254]/latest/meta-data/",
    "http://10.0.0.1/",
    "http://10.255.255.255/",
    "http://0xa.0.0.1/",
    "http://167772161/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.0.1/",
    "http://192.168.255.255:9200/",
    "http://0xc0a80001/",
    "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "http://169.254.169.254/computeMetadata/v1/",
    "http://169.254.170.2/v2/credentials",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://169.254.0.1/",
    "http://100.64.0.1/",
    "http://100.100.100.200/latest/meta-data/",
    "http://100.127.255.255/",
    "http://192.0.0.192/",
    "http://192.0.2.1/",
    "http://198.51.100.7/",
    "http://203.0.113.9/",
    "http://198.18.0.1/",
    "http://198.19.255.255/",
    "http://192.88.99.1/",
    "http://224.0.0.1/",
    "http://239.255.255.250:1900/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[fe80::1]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::169.254.169.254]/",
    "http://[64:ff9b:1::1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a00:1::1]/",
    "http://[2001::1]/",
    "http://[2001:db8::1]/",
    "http://[100::1]/",
    "http://[3fff::1]/",
    "http://user@search.example/",
    "http://search.example@127.0.0.1/",
    "http://search.example:80@127.0.0.1:80/",
    "http://127.0.0.1\\@search.example/",
    "http://127.0.0.1#@search.example/",
    "http://127.0.0.1?@search.example/",
    "http:127.0.0.1/",
    "http:\\\\127.0.0.1\\",
    "http://12\t7.0.0.1/",
    "http:///127.0.0.1/",
    "  http://127.0.0.1/",
];

/// By their names, ports and schemes.
const REFUSED_BY_NAME: [&str; 26] = [
    "http://inner.example/",
    "http://both.example/",
    "http://six.example/",
    "http://mapped.example/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://127.0.0.1.nip.example/",
    "http://empty.example/",
    "http://nowhere.example/",
    "http://search.example:22/",
    "http://search.example:25/",
    "http://search.example:53/",
    "http://search.example:445/",
    "http://search.example:2375/",
    "http://search.example:3306/",
    "http://search.example:6379/",
    "https://search.example:11211/",
    "http://93.184.216.34:6379/",
    "gopher://search.example/",
    "file:///etc/passwd",
    "ftp://search.example/",
    "data:text/plain,x",
    "ws://search.example/",
    "javascript:alert(1)",
    "unix:///var/run/docker.sock",
    "search.example",
    "http://",
];

#[test]
fn what_is_not_of_the_public_internet_is_refused_however_it_is_spelt() {
    let outbound = outbound(&[]);
    for url in REFUSED.iter().chain(&REFUSED_BY_NAME) {
        let refused = judge(&outbound, url);
        assert!(refused.is_err(), "{url} leads to {refused:?}");
    }
}

#[test]
fn addresses_in_a_url_are_refused_before_anything_is_resolved() {
    let outbound = Outbound::with_lookup(Vec::new(), |name| panic!("`{name}` was resolved"));
    for url in REFUSED {
        assert!(outbound.check_text(url).is_err(), "{url}");
    }
}

#[test]
fn the_public_internet_is_asked() {
    let outbound = outbound(&[]);
    for (url, port) in [
        ("http://search.example/_search", 80),
        ("https://search.example/", 443),
        ("https://SEARCH.example.:9200/", 9200),
        ("http://93.184.216.34:8983/solr", 8983),
        ("http://[2606:2800:220:1::1]/", 80),
        ("http://search.example#@127.0.0.1", 80),
        ("http://search.example\\@127.0.0.1", 80),
    ] {
        let addresses = judge(&outbound, url).unwrap();
        assert!(
            !addresses.is_empty() && addresses.iter().all(|address| address.port() == port),
            "{url}: {addresses:?}"
        );
    }
}

#[test]
fn an_operator_allows_hosts_and_ranges_and_nothing_else_with_them() {
    let allows = |allowed: &[&str], url: &str| judge(&outbound(allowed), url).is_ok();
    assert!(allows(&["127.0.0.1:9200"], "http://127.0.0.1:9200/"));
    assert!(allows(&["127.0.0.1:9200"], "http://localhost:9200/"), "the address is allowed, whatever it is called");
    assert!(!allows(&["127.0.0.1:9200"], "http://127.0.0.1:9201/"));
    assert!(!allows(&["127.0.0.1:9200"], "http://127.0.0.2:9200/"));
    assert!(allows(&["inner.example"], "http://inner.example:1234/"));
    assert!(!allows(&["inner.example"], "http://10.0.0.7/"), "the name was allowed");
    assert!(allows(&["10.0.0.0/8"], "http://inner.example/") && allows(&["10.0.0.0/8"], "http://both.example/"));
    assert!(!allows(&["10.0.0.0/8:9200"], "http://inner.example/"));
    assert!(!allows(&["inner.example"], "http://inner.example:6379/"), "the port is another service's");
    assert!(allows(&["inner.example:6379"], "http://inner.example:6379/"));
    assert!(allows(&["search.example:22"], "http://search.example:22/"));
    assert!(!allows(&["search.example:22"], "http://93.184.216.34:25/"));
    assert!(!allows(&["0.0.0.0/0", "::/0"], "ftp://search.example/"), "no list allows another scheme");
}

#[test]
fn without_a_policy_everybody_is_asked() {
    let free = Outbound::default();
    assert!(!free.is_restricted() && outbound(&[]).is_restricted());
    for url in ["http://127.0.0.1:22/", "http://localhost:9200/", "http://u:p@10.0.0.1/"] {
        assert!(free.check_text(url).is_ok(), "{url}");
    }
    assert!(free.check_text("ftp://h/").is_err());
    assert_eq!(free.addresses("127.0.0.1", 5).unwrap(), [SocketAddr::from(([127, 0, 0, 1], 5))]);
}

#[test]
fn a_refusal_names_the_host_and_what_an_operator_can_do_and_no_inner_address() {
    let refused = judge(&outbound(&[]), "http://inner.example:9200/").unwrap_err().to_string();
    assert_eq!(
        refused,
        "`inner.example` is a private address, to which this server does not connect; its operator can allow it: \
         `--allow-outbound inner.example:9200`"
    );
    let refused = judge(&outbound(&[]), "http://[::1]:9200/").unwrap_err().to_string();
    assert!(refused.contains("`--allow-outbound [::1]:9200`"), "{refused}");
}

/// A server of this machine that says hello.
fn hello() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello");
        }
    });
    address
}

/// DNS rebinding: the name is public when it is looked at, and leads to this machine when it is connected to.
#[tokio::test]
async fn a_name_that_changes_between_check_and_connection_gains_nothing() {
    let server = hello();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let flipping = move |_: &str| {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        Ok(vec![if first { IpAddr::from([93, 184, 216, 34]) } else { IpAddr::from([127, 0, 0, 1]) }])
    };
    let outbound = Outbound::with_lookup(Vec::new(), flipping);
    let url = format!("http://flip.example:{}/", server.port());
    assert!(outbound.addresses("flip.example", server.port()).is_ok(), "public at first");
    let client = |outbound: &Outbound| {
        let resolver = Arc::new(PortResolver::new(outbound.clone(), server.port()));
        reqwest::Client::builder().no_proxy().dns_resolver(resolver).build().unwrap()
    };
    let client_of_ours = client(&outbound);
    for _ in 0..3 {
        // Each connection resolves, and checks, anew.
        let error = client_of_ours.get(&url).send().await.unwrap_err();
        let refusal = refusal_behind(&error);
        assert!(matches!(refusal, Some(OutboundError::Range { range: "a loopback address", .. })), "{error:?}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    let allowed = vec![format!("127.0.0.1:{}", server.port()).parse().unwrap()];
    let outbound = Outbound::with_lookup(allowed, |_| Ok(vec![IpAddr::from([127, 0, 0, 1])]));
    assert_eq!(client(&outbound).get(&url).send().await.unwrap().text().await.unwrap(), "hello");
}

/// One process has one policy of its stores, so that this is one test.
#[test]
fn inputs_are_read_from_allowed_hosts_only_and_refused_at_once() {
    let server = hello();
    let blob = |outbound: &Outbound, url: &str| {
        let service = crate::storage::head_within(outbound.clone(), Path::new(url));
        service.map_err(|error| error.to_string())
    };
    let begun = std::time::Instant::now();
    for url in [
        format!("http://127.0.0.1:{}/x.csv", server.port()),
        format!("http://localhost:{}/x.csv", server.port()),
        format!("http://inner.example:{}/x.csv", server.port()),
    ] {
        let refused = blob(&outbound(&[]), &url).unwrap_err();
        assert!(refused.contains("--allow-outbound"), "{url}: {refused}");
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(30), "a refusal is not tried again");
    let allowed = outbound(&[&format!("127.0.0.1:{}", server.port())]);
    assert_eq!(blob(&allowed, &format!("http://127.0.0.1:{}/x.csv", server.port())), Ok(5));
}

#[test]
fn a_service_of_the_operators_is_closed_whatever_is_allowed() {
    let allowed = outbound(&["10.0.0.0/8", "10.0.0.7:50050", "inner.example:50050"]);
    assert!(judge(&allowed, "http://inner.example:50050/").is_ok());
    for closed in [allowed.clone().but_not("inner.example", 50050), allowed.clone().but_not("10.0.0.7", 50050)] {
        for url in [
            "http://inner.example:50050/",
            "http://INNER.example.:50050/",
            "http://10.0.0.7:50050/",
            "http://[::ffff:10.0.0.7]:50050/",
        ] {
            let refused = judge(&closed, url).unwrap_err();
            assert!(matches!(refused, OutboundError::Closed { port: 50050, .. }), "{url}: {refused}");
        }
        assert!(judge(&closed, "http://inner.example:50051/").is_ok(), "another service of the same machine");
        assert!(judge(&closed, "http://10.0.0.8:50050/").is_ok(), "another machine");
    }
    let nowhere = allowed.clone().but_not("gone.example", 50050);
    assert!(judge(&nowhere, "http://10.0.0.8:50050/").is_err(), "whose address it is cannot be told");
    assert!(!Outbound::default().but_not("inner.example", 50050).is_restricted());
}

#[test]
fn another_process_holds_to_the_same_rules() {
    let rules = outbound(&["10.0.0.0/8", "[fd00::1]:9200", "search.internal"]).but_not("10.0.0.7", 50050);
    let text = serde_json::to_string(&rules).unwrap();
    let read: Outbound = serde_json::from_str(&text).unwrap();
    assert_eq!(format!("{read:?}"), format!("{rules:?}"));
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    assert!(read.is_restricted() && judge(&read, "http://127.0.0.1/").is_err());
    assert!(judge(&read, "http://10.0.0.1/").is_ok() && judge(&read, "http://10.0.0.7:50050/").is_err());
    assert_eq!(serde_json::to_string(&Outbound::default()).unwrap(), r#""everybody""#);
    assert!(!serde_json::from_str::<Outbound>(r#""everybody""#).unwrap().is_restricted());
    for wrong in [
        "null",
        "{}",
        "[]",
        r#""public-and""#,
        r#"{"public-and":null}"#,
        r#"{"public-and":{"closed":[]}}"#,
        r#"{"public-and":{"allowed":["*"],"closed":[]}}"#,
        r#"{"public-and":{"allowed":[],"closed":[],"more":1}}"#,
    ] {
        assert!(serde_json::from_str::<Outbound>(wrong).is_err(), "{wrong}");
    }
}
