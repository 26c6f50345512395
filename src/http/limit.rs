//! How often one address may call the public routes: a coarse net in memory, per replica, before any secret is looked at.
//!
//! What really protects a secret are the budgets in the database; this keeps strangers from making noise. The limit knows nothing of
//! accounts, so a refusal tells nothing of them either.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::cors::is_public;
use super::problem::Problem;
use crate::domain::ip_range::IpRange;

/// Quiet addresses are forgotten when there are more than this, and then each time that their number has doubled.
const REMEMBERED: usize = 10_000;
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Counts calls by address.
pub struct Limiter {
    /// `None` when there is no limit.
    calls: Option<DefaultKeyedRateLimiter<IpAddr>>,
    forget_above: AtomicUsize,
    trusted_proxies: Vec<IpRange>,
}

impl Limiter {
    /// At most `per_minute` calls from an address, none counted with 0. Only trusted proxies are believed about whom they speak for.
    #[must_use]
    pub fn new(per_minute: u32, trusted_proxies: Vec<IpRange>) -> Self {
        let calls = NonZeroU32::new(per_minute).map(|limit| RateLimiter::keyed(Quota::per_minute(limit)));
        Self { calls, forget_above: AtomicUsize::new(REMEMBERED), trusted_proxies }
    }

    /// How long the caller has to wait; `None` when it may go on.
    fn wait(&self, request: &ServiceRequest) -> Option<Duration> {
        let calls = self.calls.as_ref()?;
        let client = self.client(request.peer_addr()?, request.headers());
        if calls.len() > self.forget_above.load(Ordering::Relaxed) {
            calls.retain_recent();
            self.forget_above.store(REMEMBERED.max(2 * calls.len()), Ordering::Relaxed);
        }
        let refused = calls.check_key(&network(client)).err()?;
        Some(refused.wait_time_from(DefaultClock::default().now()))
    }

    /// The nearest address that no trusted proxy vouches for: from the right, as proxies append.
    fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let is_trusted = |address: &IpAddr| self.trusted_proxies.iter().any(|range| range.contains(*address));
        let peer = peer.ip().to_canonical();
        if !is_trusted(&peer) {
            return peer;
        }
        let values: Vec<&str> = headers.get_all(FORWARDED_FOR).filter_map(|value| value.to_str().ok()).collect();
        let mut hops = values.iter().rev().flat_map(|value| value.rsplit(',')).map(|hop| address(hop.trim()));
        let mut client = peer;
        while let Some(Some(hop)) = hops.next() {
            client = hop.to_canonical();
            if !is_trusted(&client) {
                break;
            }
        }
        client
    }
}

/// An address, with or without the port that some proxies append.
fn address(hop: &str) -> Option<IpAddr> {
    hop.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

/// One household of IPv6 is one caller.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

pub(super) async fn layer(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let limiter = request.app_data::<web::Data<Limiter>>().filter(|_| is_public(&request));
    match limiter.and_then(|limiter| limiter.wait(&request)) {
        None => next.call(request).await.map(ServiceResponse::map_into_boxed_body),
        Some(wait) => {
            let detail = "Too many calls from this address; try again later.";
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).retry_in(wait);
            Ok(request.into_response(problem.error_response()))
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn client(limiter: &Limiter, peer: &str, forwarded: &[&str]) -> String {
        let mut request = TestRequest::default();
        for value in forwarded {
            request = request.append_header(("X-Forwarded-For", *value));
        }
        let request = request.to_http_request();
        limiter.client(SocketAddr::new(peer.parse().unwrap(), 1), request.headers()).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let limiter = Limiter::new(1, vec!["10.0.0.0/8".parse().unwrap()]);
        assert_eq!(client(&limiter, "203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(client(&limiter, "10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client(&limiter, "10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(client(&limiter, "10.0.0.1", &["1.1.1.1", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(client(&limiter, "10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(client(&limiter, "10.0.0.1", &["nonsense"]), "10.0.0.1");
        assert_eq!(client(&limiter, "10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn addresses_are_counted_apart_and_ipv6_by_network() {
        let limiter = Limiter::new(2, Vec::new());
        let calls = |peer: &str| {
            let request = TestRequest::default().peer_addr(SocketAddr::new(peer.parse().unwrap(), 1)).to_srv_request();
            limiter.wait(&request).is_none()
        };
        assert!(calls("203.0.113.9") && calls("203.0.113.9"));
        assert!(!calls("203.0.113.9"));
        assert!(calls("203.0.113.10"));
        assert!(calls("2001:db8::1") && calls("2001:db8::2"));
        assert!(!calls("2001:db8::3"));
        assert!(calls("2001:db8:0:1::1"));
    }

    #[test]
    fn no_limit_counts_nothing() {
        let request = TestRequest::default().peer_addr("203.0.113.9:1".parse().unwrap()).to_srv_request();
        let limiter = Limiter::new(0, Vec::new());
        assert!((0..1000).all(|_| limiter.wait(&request).is_none()));
    }
}
