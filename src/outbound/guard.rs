//! Calls to places that callers of the API name: only addresses within reach are connected to, whatever a name resolves to at that moment.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::fault::causes;
use crate::domain::ip_range::Reach;

/// A name that resolves to no address within reach.
#[derive(Debug, thiserror::Error)]
#[error("the name resolves to no address that may be called")]
struct OutOfReach;

/// Resolves names to addresses within reach. An address that stands in a URL in place of a name asks no resolver and is the caller's to judge.
pub(super) fn resolver(reach: &Reach) -> impl Resolve + 'static {
    Guard(reach.clone())
}

/// Whether a call failed since what was named is out of reach.
#[must_use]
pub fn is_out_of_reach(error: &reqwest::Error) -> bool {
    causes(error).any(<dyn std::error::Error>::is::<OutOfReach>)
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
    use crate::outbound::Egress;

    fn client(reach: &Reach) -> reqwest::Client {
        Egress::default().guarded_client(std::time::Duration::from_secs(5), reach, false).unwrap()
    }

    async fn receiver() -> (MockServer, String) {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(ResponseTemplate::new(204)).mount(&server).await;
        let url = format!("http://localhost:{}/", server.address().port());
        (server, url)
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_this_machine_is_not_connected_to() {
        let (server, url) = receiver().await;
        let error = client(&Reach::default()).post(url).send().await.unwrap_err();
        assert!(is_out_of_reach(&error) && crate::outbound::surely_not_sent(&error), "{error:?}");
        assert!(server.received_requests().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn unless_the_operator_allows_it() {
        let (server, url) = receiver().await;
        let reach = Reach { allowed: vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()] };
        let answer = client(&reach).post(url).send().await.unwrap();
        assert_eq!(answer.status(), 204);
        assert_eq!(server.received_requests().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_name_that_is_not_there_is_another_matter() {
        let error = client(&Reach::default()).post("http://nowhere.invalid/").send().await.unwrap_err();
        assert!(!is_out_of_reach(&error));
    }
}
