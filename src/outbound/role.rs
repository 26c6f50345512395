//! Access keys of AWS for the role that this process runs in, found where AWS's own tools look for them, and kept while they last.
//!
//! What the environment offers is the affair of `aws-config`: the standard variables, a web identity, a container's or an instance's role.
//! Its calls go out through our client.

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::Region;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::result::ConnectorError;
use reqwest::Client;
use tokio::sync::OnceCell;

use super::aws_http::AwsHttp;
use super::fault::causes;
use super::kept::{Kept, Lent};
use crate::domain::time::Timestamp;

/// A key is renewed this long before it ends.
const MARGIN: Duration = Duration::from_mins(5);
/// How long a key is looked for: messages wait for it.
const DEADLINE: Duration = Duration::from_secs(5);
/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    #[error("the environment of this process gives it no access key")]
    Missing,
    #[error("who gives the access key can't be reached")]
    Unreachable,
}

/// The current key of the role.
pub struct RoleKeys {
    region: String,
    source: OnceCell<SharedCredentialsProvider>,
    kept: Kept<Credentials, RoleError>,
}

impl RoleKeys {
    /// Of a role in this region; nothing is looked for yet.
    #[must_use]
    pub fn new(region: String) -> Self {
        Self { region, source: OnceCell::new(), kept: Kept::default() }
    }

    /// A key that is good for a call now. One that is about to end is used to its end when there is no other.
    ///
    /// # Errors
    /// [`RoleError`] when there is none.
    pub async fn current(&self, client: &Client, now: Timestamp) -> Result<Credentials, RoleError> {
        let look = async || {
            let key = self.look(client).await?;
            let end = key.expiry().map(timestamp);
            Ok(Lent { value: key, renew_at: end.map(|end| end.before(MARGIN)), end })
        };
        self.kept.current(now, look).await
    }

    async fn look(&self, client: &Client) -> Result<Credentials, RoleError> {
        let looked = tokio::time::timeout(DEADLINE, async {
            let source = self.source.get_or_init(|| self.chain(client)).await;
            source.provide_credentials().await
        });
        // The error itself is neither kept nor shown: it has the answers that came, keys and all.
        looked.await.or(Err(RoleError::Unreachable))?.map_err(|error| reason(&error))
    }

    async fn chain(&self, client: &Client) -> SharedCredentialsProvider {
        let calls = ProviderConfig::default().with_http_client(AwsHttp(client.clone()));
        let region = Region::new(self.region.clone());
        SharedCredentialsProvider::new(DefaultCredentialsChain::builder().region(region).configure(calls).build().await)
    }
}

fn timestamp(at: SystemTime) -> Timestamp {
    let since_epoch = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

fn reason(error: &CredentialsError) -> RoleError {
    match error {
        // Outside of Amazon nobody answers at the address of its metadata.
        CredentialsError::CredentialsNotLoaded(_) => RoleError::Missing,
        CredentialsError::ProviderTimedOut(_) => RoleError::Unreachable,
        _ if causes(error).any(<dyn Error>::is::<ConnectorError>) => RoleError::Unreachable,
        _ => RoleError::Missing,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_credential_types::credential_fn::provide_credentials_fn;

    use super::*;
    use crate::outbound::kept::PAUSE;

    const NOW: Timestamp = Timestamp::from_millis(1_795_514_400_000);
    const HOUR: Duration = Duration::from_hours(1);

    fn system_time(at: Timestamp) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(u64::try_from(at.millis()).unwrap())
    }

    /// Gives out what `answer` says to the tries, counted from 1; with the number of tries so far.
    fn keys<F>(answer: F) -> (RoleKeys, Arc<AtomicUsize>)
    where
        F: Fn(usize) -> Result<Credentials, CredentialsError> + Clone + Send + Sync + 'static,
    {
        let tries = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&tries);
        let source = provide_credentials_fn(move || {
            let answer = answer(counted.fetch_add(1, Ordering::SeqCst) + 1);
            async move { answer }
        });
        let source = OnceCell::new_with(Some(SharedCredentialsProvider::new(source)));
        (RoleKeys { region: "eu-central-1".to_owned(), source, kept: Kept::default() }, tries)
    }

    fn key(number: usize, end: Option<Timestamp>) -> Credentials {
        Credentials::new(format!("AKIA{number}"), "secret", None, end.map(system_time), "test")
    }

    async fn current(keys: &RoleKeys, now: Timestamp) -> Result<String, RoleError> {
        let client = crate::outbound::Egress::default().client(DEADLINE).unwrap();
        keys.current(&client, now).await.map(|key| key.access_key_id().to_owned())
    }

    #[tokio::test]
    async fn a_key_is_kept_and_renewed_before_it_ends() {
        let (keys, tries) = keys(|number| Ok(key(number, Some(NOW.after(HOUR * u32::try_from(number).unwrap())))));
        for now in [NOW, NOW.after(HOUR.saturating_sub(MARGIN * 2))] {
            assert_eq!(current(&keys, now).await.as_deref(), Ok("AKIA1"));
        }
        assert_eq!(current(&keys, NOW.after(HOUR.saturating_sub(MARGIN / 2))).await.as_deref(), Ok("AKIA2"));
        assert_eq!(tries.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn one_without_an_end_is_never_renewed() {
        let (keys, tries) = keys(|number| Ok(key(number, None)));
        assert_eq!(current(&keys, NOW).await, current(&keys, NOW.after(HOUR * 1000)).await);
        assert_eq!(tries.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn an_old_key_is_used_to_its_end_when_there_is_no_other() {
        let (keys, _) = keys(|number| match number {
            1 => Ok(key(1, Some(NOW.after(HOUR)))),
            _ => Err(CredentialsError::provider_timed_out(DEADLINE)),
        });
        for now in [NOW, NOW.after(HOUR.saturating_sub(MARGIN / 2))] {
            assert_eq!(current(&keys, now).await.as_deref(), Ok("AKIA1"));
        }
        assert_eq!(current(&keys, NOW.after(HOUR)).await, Err(RoleError::Unreachable));
    }

    #[tokio::test]
    async fn a_failure_stands_for_a_while() {
        let (keys, tries) = keys(|number| match number {
            1 => Err(CredentialsError::not_loaded_no_source()),
            _ => Ok(key(number, None)),
        });
        for _ in 0..3 {
            assert_eq!(current(&keys, NOW).await, Err(RoleError::Missing));
        }
        assert_eq!(tries.load(Ordering::SeqCst), 1);
        assert_eq!(current(&keys, NOW.after(PAUSE)).await.as_deref(), Ok("AKIA2"));
    }

    #[test]
    fn what_can_not_be_reached_is_told_from_what_is_not_there() {
        let of_connection = ConnectorError::io("refused".into());
        assert_eq!(reason(&CredentialsError::provider_error(of_connection)), RoleError::Unreachable);
        assert_eq!(reason(&CredentialsError::provider_error("AccessDenied")), RoleError::Missing);
        assert_eq!(reason(&CredentialsError::not_loaded(ConnectorError::io("refused".into()))), RoleError::Missing);
    }
}
