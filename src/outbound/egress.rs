//! How calls leave: through which proxy, if any, and whose certificates are believed. The same for all of them.
//!
//! The only place where clients are made. Variables such as `HTTP_PROXY` are not looked at: what is not configured is not used.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use url::{Host, Url};

use super::direct::{self, Direct};
use super::{OutboundError, guard};
use crate::domain::ip_range::Reach;
use crate::domain::secret::Secret;

/// Makes every client there is. The default knows no proxy, and trusts whom the system trusts.
#[derive(Clone, Default)]
pub struct Egress {
    proxy: Option<Arc<Proxy>>,
    authorities: Arc<[Certificate]>,
}

/// Who passes calls on.
pub struct Proxy {
    /// Without a credential in it.
    pub url: Url,
    /// User name and password.
    pub credential: Option<(String, Secret)>,
    /// Who is called without it, besides this machine.
    pub direct: Vec<Direct>,
}

/// Certificates of authorities that are trusted besides those of the system.
#[derive(Default)]
pub struct Authorities(Vec<Certificate>);

/// What is wrong with a file of certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthoritiesError {
    #[error("has no certificate: it must be PEM, with BEGIN CERTIFICATE")]
    None,
    #[error("has a certificate that can't be read")]
    Malformed,
}

impl Authorities {
    /// The certificates of a PEM file, all of which have to be usable.
    ///
    /// # Errors
    /// [`AuthoritiesError`]
    pub fn from_pem(pem: &[u8]) -> Result<Self, AuthoritiesError> {
        let certificates = CertificateDer::pem_slice_iter(pem).map(|der| {
            let der = der.or(Err(AuthoritiesError::Malformed))?;
            webpki::anchor_from_trusted_cert(&der).or(Err(AuthoritiesError::Malformed))?;
            Certificate::from_der(&der).or(Err(AuthoritiesError::Malformed))
        });
        let certificates: Vec<_> = certificates.collect::<Result<_, _>>()?;
        if certificates.is_empty() { Err(AuthoritiesError::None) } else { Ok(Self(certificates)) }
    }
}

impl Egress {
    #[must_use]
    pub fn new(proxy: Option<Proxy>, authorities: Authorities) -> Self {
        Self { proxy: proxy.map(Arc::new), authorities: authorities.0.into() }
    }

    /// A client whose calls end after `deadline`, whatever the other side does.
    ///
    /// # Errors
    /// [`OutboundError::Tls`] when the system has no usable TLS set-up.
    pub fn client(&self, deadline: Duration) -> Result<Client, OutboundError> {
        let builder = self.builder(deadline);
        built(match &self.proxy {
            Some(proxy) => builder.proxy(Proxy::used_unless(proxy, Proxy::spares)),
            None => builder,
        })
    }

    /// As [`Egress::client`], for places that callers of the API name. Either names are judged here by what they resolve to; or, where the operator
    /// wants that and there is a proxy, every call goes through it, and names are the proxy's to resolve and to judge.
    ///
    /// # Errors
    /// [`OutboundError::Tls`] when the system has no usable TLS set-up.
    pub fn guarded_client(&self, deadline: Duration, reach: &Reach, use_proxy: bool) -> Result<Client, OutboundError> {
        let builder = self.builder(deadline);
        built(match &self.proxy {
            // Nobody is spared: a call that went past the proxy would be judged by nobody.
            Some(proxy) if use_proxy => builder.proxy(Proxy::used_unless(proxy, |_, _| false)),
            _ => builder.dns_resolver(guard::resolver(reach)),
        })
    }

    fn builder(&self, deadline: Duration) -> ClientBuilder {
        Client::builder()
            .connect_timeout(deadline.min(Duration::from_secs(5)))
            .timeout(deadline)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tls_certs_merge(self.authorities.iter().cloned())
            .referer(false)
            .user_agent(concat!("invited/", env!("CARGO_PKG_VERSION")))
    }
}

fn built(builder: ClientBuilder) -> Result<Client, OutboundError> {
    builder.build().map_err(|_| OutboundError::Tls)
}

/// Whether it is an address that no other machine leads to, such as that of a cloud's metadata.
fn is_link_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_link_local(),
        Some(Host::Ipv6(address)) => address.is_unicast_link_local(),
        _ => false,
    }
}

impl Proxy {
    /// The proxy for calls that it is not spared.
    fn used_unless(proxy: &Arc<Self>, is_spared: fn(&Self, &Url) -> bool) -> reqwest::Proxy {
        let rules = Arc::clone(proxy);
        let used = reqwest::Proxy::custom(move |url| (!is_spared(&rules, url)).then(|| rules.url.clone()));
        match &proxy.credential {
            Some((name, password)) => used.basic_auth(name, password.expose()),
            None => used,
        }
    }

    /// Whether a call goes past it.
    fn spares(&self, url: &Url) -> bool {
        super::is_loopback(url) || is_link_local(url) || direct::any(&self.direct, url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clouds_metadata_is_never_asked_through_the_proxy() {
        let proxy = Proxy { url: Url::parse("http://proxy.invalid").unwrap(), credential: None, direct: Vec::new() };
        let spares = |url: &str| proxy.spares(&Url::parse(url).unwrap());
        assert!(spares("http://169.254.169.254/latest/api/token") && spares("http://169.254.170.2/v2/credentials"));
        assert!(spares("http://[fe80::1]/") && !spares("https://169.253.0.1/"));
    }
}
