//! A proxy is used when one is configured, for those that are not spared it, and learns no more than it has to.

use std::time::Duration;

use reqwest::Client;
use url::Url;

use super::peers::{Authority, Does, Seen, serve_proxy, serve_tls};
use super::serve;
use crate::domain::ip_range::Reach;
use crate::domain::secret::Secret;
use crate::outbound::{Authorities, Egress, Proxy, ProxyFault, not_sent, surely_not_sent};

const DEADLINE: Duration = Duration::from_secs(5);
/// `name:password`
const CREDENTIAL: &str = "Basic bmFtZTpwYXNzd29yZA==";

/// The way through the proxy at a port of this machine.
fn egress(port: u16, direct: &[&str], authorities: Authorities) -> Egress {
    let proxy = Proxy {
        url: Url::parse(&format!("http://127.0.0.1:{port}")).unwrap(),
        credential: Some(("name".to_owned(), Secret::new("password".to_owned()))),
        direct: direct.iter().map(|direct| direct.parse().unwrap()).collect(),
    };
    Egress::new(Some(proxy), authorities)
}

async fn through(does: Does, direct: &[&str]) -> (Client, Seen) {
    let (port, seen) = serve_proxy(does).await;
    (egress(port, direct, Authorities::default()).client(DEADLINE).unwrap(), seen)
}

const NOWHERE: Does = Does::Say("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");

async fn post(client: &Client, url: &str) -> reqwest::Result<u16> {
    client.post(url).body("the secret body").send().await.map(|answer| answer.status().as_u16())
}

#[tokio::test]
async fn https_goes_through_a_tunnel_in_which_the_proxy_sees_nothing() {
    let authority = Authority::new();
    let (server, received) = serve_tls(authority.identity("mail.gateway.invalid", 2100)).await;
    let (port, seen) = serve_proxy(Does::Connect(server)).await;
    let trusted = Authorities::from_pem(authority.pem.as_bytes()).unwrap();
    let client = egress(port, &[], trusted).client(DEADLINE).unwrap();
    assert_eq!(post(&client, "https://mail.gateway.invalid/send").await.unwrap(), 200);
    let (seen, received) = (seen.text(), received.text());
    assert!(seen.starts_with("CONNECT mail.gateway.invalid:443 HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains(&format!("proxy-authorization: {CREDENTIAL}\r\n")), "{seen}");
    assert!(!seen.contains("/send") && !seen.contains("secret body"), "{seen}");
    assert!(received.ends_with("the secret body") && !received.to_lowercase().contains("proxy-"), "{received}");
}

#[tokio::test]
async fn who_is_at_the_end_of_the_tunnel_has_to_prove_it() {
    let (server, received) = serve_tls(Authority::new().identity("mail.gateway.invalid", 2100)).await;
    let (client, _) = through(Does::Connect(server), &[]).await;
    let error = post(&client, "https://mail.gateway.invalid/send").await.unwrap_err();
    assert_eq!(not_sent(&error, "unreachable"), Some("unreachable"));
    assert_eq!(received.text(), "");
}

#[tokio::test]
async fn plain_http_is_handed_to_the_proxy_whole() {
    let (client, seen) = through(Does::Connect(([127, 0, 0, 1], 1).into()), &[]).await;
    assert_eq!(post(&client, "http://mail.gateway.invalid/send").await.unwrap(), 200);
    let seen = seen.text();
    assert!(seen.starts_with("POST http://mail.gateway.invalid/send HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains(&format!("proxy-authorization: {CREDENTIAL}\r\n")), "{seen}");
}

#[tokio::test]
async fn this_machine_and_those_that_are_named_are_called_directly() {
    let (client, seen) = through(NOWHERE, &["direct.invalid", ".inside.invalid", "192.0.2.0/24"]).await;
    let authority = Authority::new();
    let (address, _) = serve_tls(authority.identity("localhost", 2100)).await;
    for url in
        ["http://direct.invalid/", "https://a.inside.invalid/", &format!("https://localhost:{}/", address.port())]
    {
        assert!(surely_not_sent(&post(&client, url).await.unwrap_err()), "{url}");
    }
    let (url, connections) = serve("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", super::Then::Say(b"ok")).await;
    assert_eq!(post(&client, &url).await.unwrap(), 200);
    assert_eq!(connections.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert_eq!(seen.text(), "");
    assert_eq!(post(&client, "http://other.invalid/").await.unwrap(), 502);
}

#[tokio::test]
async fn a_proxy_that_makes_no_tunnel_got_nothing_and_says_why() {
    let refused = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    let unauthorized = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    for (answer, fault) in
        [(refused, ProxyFault::Refused), (unauthorized, ProxyFault::Unauthorized), ("", ProxyFault::Refused)]
    {
        let (client, seen) = through(Does::Say(answer), &[]).await;
        let error = post(&client, "https://mail.gateway.invalid/send").await.unwrap_err();
        assert_eq!(not_sent(&error, "unreachable"), Some(fault.code()), "{answer:?}: {error:?}");
        assert!(!seen.text().contains("secret body"));
    }
    let client = egress(1, &[], Authorities::default()).client(DEADLINE).unwrap();
    let error = post(&client, "https://mail.gateway.invalid/send").await.unwrap_err();
    assert_eq!(not_sent(&error, "unreachable"), Some("proxy_unreachable"));
    let error = post(&client, "http://mail.gateway.invalid/send").await.unwrap_err();
    assert_eq!(not_sent(&error, "unreachable"), Some("unreachable"), "not told apart, but surely not sent");
}

#[tokio::test]
async fn what_a_proxy_says_to_plain_http_is_an_answer() {
    let (client, _) = through(Does::Say("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"), &[]).await;
    assert_eq!(post(&client, "http://mail.gateway.invalid/send").await.unwrap(), 407);
}

#[tokio::test]
async fn a_redirect_is_not_followed_through_a_proxy_either() {
    let moved = "HTTP/1.1 307 Moved\r\nLocation: http://other.invalid/\r\nContent-Length: 0\r\n\r\n";
    let (client, seen) = through(Does::Say(moved), &[]).await;
    assert_eq!(post(&client, "http://mail.gateway.invalid/send").await.unwrap(), 307);
    assert!(!seen.text().contains("other.invalid"));
}

#[tokio::test]
async fn endpoints_of_tenants_go_through_it_only_when_that_is_wanted_and_then_all_of_them() {
    let (port, seen) = serve_proxy(NOWHERE).await;
    let egress = egress(port, &["endpoint.invalid"], Authorities::default());
    let client = |use_proxy| egress.guarded_client(DEADLINE, &Reach::default(), use_proxy).unwrap();
    assert!(surely_not_sent(&post(&client(false), "http://other.invalid/").await.unwrap_err()));
    assert_eq!(seen.text(), "");
    for url in ["http://endpoint.invalid/", "http://localhost:1/"] {
        assert_eq!(post(&client(true), url).await.unwrap(), 502, "{url}");
    }
    let without = Egress::default().guarded_client(DEADLINE, &Reach::default(), true).unwrap();
    let error = post(&without, "http://localhost:1/").await.unwrap_err();
    assert!(crate::outbound::guard::is_out_of_reach(&error), "without a proxy we judge");
}
