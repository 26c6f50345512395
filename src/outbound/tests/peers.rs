//! A server that speaks TLS, with an authority of its own; and a proxy. Both write down what they see.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What a peer read.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Vec<u8>>>);

impl Seen {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    fn add(&self, bytes: &[u8]) {
        self.0.lock().unwrap().extend_from_slice(bytes);
    }

    /// Reads what is there until a head is complete.
    async fn head(&self, stream: &mut TcpStream) -> Option<String> {
        let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
        while !head.windows(4).any(|window| window == b"\r\n\r\n") {
            let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
            head.extend_from_slice(&buffer[..read]);
        }
        self.add(&head);
        Some(String::from_utf8_lossy(&head).into_owned())
    }
}

/// A certificate and its key.
type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

/// An authority that nobody trusts unless told to.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) pem: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A server's certificate for `name`, until the end of a year.
    pub(super) fn identity(&self, name: &str, until: i32) -> Identity {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2015, 1, 1), date_time_ymd(until, 12, 31));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }
}

/// A server that answers requests over TLS with 200.
pub(super) async fn serve_tls((certificate, key): Identity) -> (SocketAddr, Seen) {
    let config =
        ServerConfig::builder_with_provider(Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (listener, seen) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), Seen::default());
    let (address, noted) = (listener.local_addr().unwrap(), seen.clone());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, noted) = (acceptor.clone(), noted.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    noted.add(&buffer[..read]);
                    if noted.text().ends_with("body") {
                        stream.write_all(OK).await.unwrap();
                    }
                }
            });
        }
    });
    (address, seen)
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What a proxy does with a call.
#[derive(Clone, Copy)]
pub(super) enum Does {
    /// Every tunnel leads there; plain calls are answered by it.
    Connect(SocketAddr),
    /// It answers with these bytes and ends.
    Say(&'static str),
}

/// A proxy; its port.
pub(super) async fn serve_proxy(does: Does) -> (u16, Seen) {
    let (listener, seen) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), Seen::default());
    let (port, noted) = (listener.local_addr().unwrap().port(), seen.clone());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(pass_on(stream, does, noted.clone()));
        }
    });
    (port, seen)
}

async fn pass_on(mut stream: TcpStream, does: Does, seen: Seen) -> Option<()> {
    let head = seen.head(&mut stream).await?;
    let target = match does {
        Does::Say(answer) => return stream.write_all(answer.as_bytes()).await.ok(),
        Does::Connect(_) if !head.starts_with("CONNECT ") => return stream.write_all(OK).await.ok(),
        Does::Connect(target) => target,
    };
    let upstream = TcpStream::connect(target).await.ok()?;
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (stream.into_split(), upstream.into_split());
    tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
        seen.add(&buffer[..read]);
        to_server.write_all(&buffer[..read]).await.ok()?;
    }
    Some(())
}
