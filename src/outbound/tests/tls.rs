//! Nothing is sent to a server that does not prove who it is.

use std::time::Duration;

use super::peers::{Authority, serve_tls};
use crate::outbound::{Authorities, AuthoritiesError, Egress, surely_not_sent};

/// Sends a body to `localhost`, where there is a server with a certificate for `name` until the end of a year: what came of it, and what the server
/// read.
async fn post(egress: &Egress, authority: &Authority, name: &str, until: i32) -> (reqwest::Result<u16>, String) {
    let (address, seen) = serve_tls(authority.identity(name, until)).await;
    let url = format!("https://localhost:{}/send", address.port());
    let request = egress.client(Duration::from_secs(5)).unwrap().post(url).body("the secret body");
    (request.send().await.map(|answer| answer.status().as_u16()), seen.text())
}

fn trusting(authority: &Authority) -> Egress {
    Egress::new(None, Authorities::from_pem(authority.pem.as_bytes()).unwrap())
}

#[tokio::test]
async fn whom_the_operator_trusts_gets_the_request() {
    let authority = Authority::new();
    let (answer, seen) = post(&trusting(&authority), &authority, "localhost", 2100).await;
    assert_eq!(answer.unwrap(), 200);
    assert!(seen.starts_with("POST /send HTTP/1.1\r\n") && seen.ends_with("the secret body"), "{seen}");
}

#[tokio::test]
async fn a_certificate_of_somebody_else_or_another_name_or_time_gets_nothing() {
    let (authority, other) = (Authority::new(), Authority::new());
    let cases = [
        ("unknown authority", Egress::default(), "localhost", 2100),
        ("another authority", trusting(&other), "localhost", 2100),
        ("another name", trusting(&authority), "mail.example.com", 2100),
        ("expired", trusting(&authority), "localhost", 2020),
    ];
    for (case, egress, name, until) in cases {
        let (answer, seen) = post(&egress, &authority, name, until).await;
        assert!(surely_not_sent(&answer.unwrap_err()), "{case}");
        assert_eq!(seen, "", "{case}");
    }
}

#[tokio::test]
async fn endpoints_of_tenants_are_trusted_by_the_same_rule() {
    let authority = Authority::new();
    let reach =
        crate::domain::ip_range::Reach { allowed: vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()] };
    for (egress, is_trusted) in [(trusting(&authority), true), (Egress::default(), false)] {
        let (address, seen) = serve_tls(authority.identity("localhost", 2100)).await;
        let client = egress.guarded_client(Duration::from_secs(5), &reach, false).unwrap();
        let answer = client.post(format!("https://localhost:{}/", address.port())).body("body").send().await;
        assert_eq!((answer.is_ok(), !seen.text().is_empty()), (is_trusted, is_trusted));
    }
}

#[test]
fn a_file_without_usable_certificates_is_none() {
    let refused = |pem: &str| Authorities::from_pem(pem.as_bytes()).err();
    assert_eq!(refused(""), Some(AuthoritiesError::None));
    assert_eq!(refused("certificate"), Some(AuthoritiesError::None));
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(refused(garbage), Some(AuthoritiesError::Malformed));
    assert_eq!(refused(&format!("{}{garbage}", Authority::new().pem)), Some(AuthoritiesError::Malformed));
    assert_eq!(refused(&format!("{}{}", Authority::new().pem, Authority::new().pem)), None);
}
