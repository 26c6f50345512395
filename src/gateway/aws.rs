//! What the services of AWS have in common: signed requests (Signature Version 4), and the names of errors.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use reqwest::RequestBuilder;
use url::Url;

use super::Outcome;
use super::answer::{Means, Row, WRONG_ADDRESS, When};
use super::call::Line;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::outbound::role::{RoleError, RoleKeys};

/// Errors of any service (<https://docs.aws.amazon.com/ses/latest/APIReference-V2/CommonErrors.html>): most of them have other statuses than what
/// they mean would suggest.
pub(super) const COMMON_ERRORS: [Row<'static>; 22] = [
    (When::Code("AccessDenied"), Means::Misconfigured),
    (When::Code("AccessDeniedException"), Means::Misconfigured),
    (When::Code("AuthorizationError"), Means::Misconfigured),
    (When::Code("ExpiredTokenException"), Means::Misconfigured),
    (When::Code("IncompleteSignature"), Means::Misconfigured),
    (When::Code("InvalidClientTokenId"), Means::Misconfigured),
    (When::Code("InvalidSignatureException"), Means::Misconfigured),
    (When::Code("MissingAuthenticationToken"), Means::Misconfigured),
    (When::Code("MissingAuthenticationTokenException"), Means::Misconfigured),
    (When::Code("NotAuthorized"), Means::Misconfigured),
    (When::Code("OptInRequired"), Means::Misconfigured),
    (When::Code("SignatureDoesNotMatch"), Means::Misconfigured),
    (When::Code("UnrecognizedClientException"), Means::Misconfigured),
    // The clock is wrong.
    (When::Code("RequestExpired"), Means::Misconfigured),
    (When::Code("InternalFailure"), Means::Unknown),
    (When::Code("ServiceUnavailable"), Means::Unknown),
    (When::Code("Throttled"), Means::Throttled),
    (When::Code("ThrottledException"), Means::Throttled),
    (When::Code("Throttling"), Means::Throttled),
    (When::Code("ThrottlingException"), Means::Throttled),
    WRONG_ADDRESS[0],
    WRONG_ADDRESS[1],
];

/// Who calls, and where.
pub struct AwsAccount {
    /// Such as `eu-central-1`.
    pub region: String,
    pub key: AwsKey,
    /// In place of the service's own address in the region.
    pub url: Option<Url>,
}

/// What calls are signed with.
pub enum AwsKey {
    Fixed {
        access_key_id: String,
        secret_access_key: Secret,
        /// Of a key that was made for a time.
        session_token: Option<Secret>,
    },
    /// That of the role which this process runs in.
    Environment(Box<RoleKeys>),
}

/// There is no key to sign with: the gateway's alarm, whoever's sender the message has.
pub(super) const NO_CREDENTIALS: &str = "credentials_unavailable";

impl AwsKey {
    async fn current(&self, line: &Line) -> Result<Credentials, Outcome> {
        match self {
            Self::Fixed { access_key_id, secret_access_key, session_token } => {
                let token = session_token.as_ref().map(|token| token.expose().to_owned());
                Ok(Credentials::new(access_key_id, secret_access_key.expose(), token, None, "configuration"))
            }
            Self::Environment(keys) => keys.current(line.client(), line.now()).await.map_err(|error| match error {
                RoleError::Missing => Outcome::Misconfigured { code: NO_CREDENTIALS.to_owned() },
                RoleError::Unreachable => Outcome::NotSent { code: "credentials_unreachable" },
            }),
        }
    }
}

/// A body and what it is.
pub(super) struct Content {
    pub(super) kind: &'static str,
    pub(super) bytes: Vec<u8>,
}

impl AwsAccount {
    /// A signed POST to a service; `host` is the first part of its address.
    pub(super) async fn post(
        &self,
        line: &Line,
        (service, host): (&str, &str),
        route: &str,
        content: Content,
    ) -> Result<RequestBuilder, Outcome> {
        let unusable = || Outcome::Misconfigured { code: "unsignable".to_owned() };
        let own = || Url::parse(&format!("https://{host}.{}.amazonaws.com", self.region)).ok();
        let url = super::call::below(&self.url.clone().or_else(own).ok_or_else(unusable)?, route);
        let key = self.key.current(line).await?;
        let headers = self.sign(key, (service, &url), &content, line.now()).ok_or_else(unusable)?;
        let request = line.client().post(url).header("content-type", content.kind).body(content.bytes);
        Ok(headers.into_iter().fold(request, |request, (name, value)| request.header(name, value)))
    }

    /// The headers that make the request ours; `None` for what can't be signed.
    fn sign(
        &self,
        key: Credentials,
        (service, url): (&str, &Url),
        content: &Content,
        now: Timestamp,
    ) -> Option<Vec<(String, String)>> {
        let identity = key.into();
        let since_epoch = Duration::from_secs(u64::try_from(now.seconds()).ok()?);
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(service)
            .time(UNIX_EPOCH + since_epoch)
            .settings(SigningSettings::default())
            .build()
            .ok()?
            .into();
        let headers = std::iter::once(("content-type", content.kind));
        let body = SignableBody::Bytes(&content.bytes);
        let request = SignableRequest::new("POST", url.as_str(), headers, body).ok()?;
        let (instructions, _) = sign(request, &parameters).ok()?.into_parts();
        Some(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}
