//! What every outgoing call can count on, against servers that misbehave.

mod peers;
mod proxy;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// How a server of the tests goes on after it has read a request.
#[derive(Clone, Copy)]
enum Then {
    Say(&'static [u8]),
    /// Says more and more of the same, this long apart, without end.
    GoOn(&'static [u8], Duration),
}

/// A server that answers every request alike: its URL, and how many connections it was asked on.
async fn serve(head: &'static str, then: Then) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(answer(stream, head, then));
        }
    });
    (url, connections)
}

async fn answer(mut stream: TcpStream, head: &'static str, then: Then) -> std::io::Result<()> {
    let mut request = [0; 4096];
    while stream.read(&mut request).await? > 0 {
        stream.write_all(head.as_bytes()).await?;
        match then {
            Then::Say(body) => stream.write_all(body).await?,
            Then::GoOn(more, pause) => loop {
                stream.write_all(more).await?;
                tokio::time::sleep(pause).await;
            },
        }
    }
    Ok(())
}

async fn read(url: &str, deadline: Duration) -> Option<Vec<u8>> {
    read_body(Egress::default().client(deadline).unwrap().get(url).send().await.unwrap()).await
}

const LONG: Duration = Duration::from_mins(1);
const ENDLESS: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn an_answer_is_read_up_to_its_limit_and_one_that_is_larger_not_at_all() {
    static LARGEST: [u8; BODY_MAX] = [b'x'; BODY_MAX];
    static LARGER: [u8; BODY_MAX + 1] = [b'x'; BODY_MAX + 1];
    let (url, _) = serve("HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n", Then::Say(&LARGEST)).await;
    assert_eq!(read(&url, LONG).await.map(|body| body.len()), Some(BODY_MAX));
    let (url, _) = serve("HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n", Then::Say(&LARGER)).await;
    assert_eq!(read(&url, LONG).await, None);
    // Long before the deadline.
    let (url, _) = serve(ENDLESS, Then::GoOn(&LARGEST, Duration::ZERO)).await;
    assert_eq!(read(&url, LONG).await, None);
}

#[tokio::test]
async fn an_answer_that_drips_without_end_ends_with_the_deadline() {
    let (url, _) = serve(ENDLESS, Then::GoOn(b"x", Duration::from_millis(20))).await;
    assert_eq!(read(&url, Duration::from_millis(400)).await, None);
}

#[tokio::test]
async fn what_is_packed_stays_packed() {
    let (url, _) =
        serve("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n", Then::Say(b"\x1f\x8b\x08\x00"))
            .await;
    assert_eq!(read(&url, LONG).await.as_deref(), Some(&b"\x1f\x8b\x08\x00"[..]));
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let (url, connections) = serve("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", Then::Say(b"ok")).await;
    let client = Egress::default().client(LONG).unwrap();
    for _ in 0..3 {
        let response = client.get(&url).send().await.unwrap();
        assert_eq!(read_body(response).await.as_deref(), Some(&b"ok"[..]));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn nothing_is_sent_to_a_host_that_is_not_there_or_does_not_prove_who_it_is() {
    let call = async |url: &str| {
        Egress::default().client(Duration::from_secs(5)).unwrap().post(url).body("secret").send().await.unwrap_err()
    };
    assert!(surely_not_sent(&call("http://nowhere.invalid/").await));
    let (url, _) = serve("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", Then::Say(b"ok")).await;
    assert!(surely_not_sent(&call(&url.replace("http://", "https://")).await), "it speaks no TLS");
}

#[test]
fn secrets_go_over_tls_or_stay_on_the_machine() {
    let check = |url: &str, insecure| check_url(&Url::parse(url).unwrap(), insecure);
    assert_eq!(check("https://mail.example.com/send", false), Ok(()));
    assert_eq!(check("http://127.0.0.1:8081/email", false), Ok(()));
    assert_eq!(check("http://[::1]:8081/email", false), Ok(()));
    assert_eq!(check("http://mail.example.com/send", false), Err(OutboundError::Insecure));
    assert_eq!(check("http://mail.example.com/send", true), Ok(()));
    assert_eq!(check("https://user:pw@mail.example.com/", true), Err(OutboundError::Credentials));
    assert_eq!(check("ftp://mail.example.com/", true), Err(OutboundError::NotHttp));
}

#[test]
fn retry_after_is_honoured_capped_and_garbage_ignored() {
    let now = Timestamp::from_millis(1_795_514_400_000);
    let wish = |text| parse_retry_after(text, now).map(|wish| wish.as_secs());
    assert_eq!(wish("7"), Some(7));
    assert_eq!(wish("1000000000"), Some(3600));
    assert_eq!(wish("Tue, 24 Nov 2026 10:02:00 GMT"), Some(120));
    assert_eq!(wish("Tue, 24 Nov 2026 09:02:00 GMT"), Some(0));
    assert_eq!(wish("-1"), None);
    assert_eq!(wish("soon"), None);
    let moment = |text| parse_moment(text, now).map(|wish| wish.as_secs());
    assert_eq!((moment("1795514430"), moment("1795514300"), moment("7d")), (Some(30), Some(0), None));
}

#[test]
fn foreign_words_are_cut_to_one_safe_line() {
    assert_eq!(safe_line("a\nb\u{202e}c", 10).as_deref(), Some("abc"));
    assert_eq!(safe_line("\n", 10), None);
    assert_eq!(safe_line(&"x".repeat(300), 200).map(|line| line.len()), Some(200));
}
