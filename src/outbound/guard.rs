//! Calls to places that callers of the API name: only addresses within reach are connected to, whatever a name resolves to at that moment.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::{OutboundError, builder};
use crate::domain::ip_range::Reach;

/// A name that resolves to no address within reach.
#[derive(Debug, thiserror::Error)]
#[error("the name resolves to no address that may be called")]
struct OutOfReach;

/// As [`super::client`], for names that resolve to addresses within reach. An address that stands in a URL in place of a name asks no resolver
/// and is the caller's to judge.
///
/// # Errors
/// [`OutboundError::Tls`] when the system has no usable TLS set-up.
pub fn client(deadline: Duration, reach: Reach) -> Result<Client, OutboundError> {
    builder(deadline).dns_resolver(Guard(reach)).build().map_err(|_| OutboundError::Tls)
}

/// Whether a call failed since what was named is out of reach.
#[must_use]
pub fn is_out_of_reach(error: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if error.is::<OutOfReach>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Resolves as the system does, and forgets what is out of reach: the connection goes to what was judged, not to a second look-up.
struct Guard(Reach);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let within: Vec<SocketAddr> = found.filter(|address| reach.contains(address.ip())).collect();
            if within.is_empty() {
                return Err(OutOfReach.into());
            }
            let addresses: Addrs = Box::new(within.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use wiremock::matchers::method;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    async fn receiver() -> (MockServer, String) {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(ResponseTemplate::new(204)).mount(&server).await;
        let url = format!("http://localhost:{}/", server.address().port());
        (server, url)
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_this_machine_is_not_connected_to() {
        let (server, url) = receiver().await;
        let client = client(Duration::from_secs(5), Reach::default()).unwrap();
        let error = client.post(url).send().await.unwrap_err();
        assert!(is_out_of_reach(&error) && crate::outbound::surely_not_sent(&error), "{error:?}");
        assert!(server.received_requests().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn unless_the_operator_allows_it() {
        let (server, url) = receiver().await;
        let reach = Reach { allowed: vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()] };
        let answer = client(Duration::from_secs(5), reach).unwrap().post(url).send().await.unwrap();
        assert_eq!(answer.status(), 204);
        assert_eq!(server.received_requests().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_name_that_is_not_there_is_another_matter() {
        let client = client(Duration::from_secs(5), Reach::default()).unwrap();
        let error = client.post("http://nowhere.invalid/").send().await.unwrap_err();
        assert!(!is_out_of_reach(&error));
    }
}
