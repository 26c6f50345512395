//! An endpoint of the platform that takes events: where it may be, what it wants, and the secret that signs.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::{Host, Url};
use zeroize::Zeroizing;

use super::event::EventType;
use super::ids::{EndpointId, TenantId};
use super::ip_range::Reach;
use super::secret::Secret;
use super::text::text_enum;
use super::time::Timestamp;

/// How many endpoints a tenant may have.
pub const ENDPOINTS_MAX: i64 = 20;
/// Longest URL of an endpoint, in bytes.
pub const URL_MAX: usize = 2048;

/// Bytes of a secret; Standard Webhooks asks for 24 to 64.
const SECRET_BYTES: usize = 32;

/// An endpoint as it is stored.
#[derive(Clone)]
pub struct Endpoint {
    pub id: EndpointId,
    pub tenant: TenantId,
    pub url: String,
    pub events: Filter,
    pub description: Option<String>,
    /// Sealed; see [`bind`].
    pub secret: Vec<u8>,
    pub previous: Option<PreviousSecret>,
    /// `None` while it takes events.
    pub disabled: Option<Disabled>,
    /// The first failure since the last success.
    pub failing_since: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The secret before the last rotation; signs as well until its time is over.
#[derive(Clone)]
pub struct PreviousSecret {
    pub sealed: Vec<u8>,
    pub until: Timestamp,
}

/// Since when an endpoint gets nothing, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disabled {
    pub at: Timestamp,
    pub reason: DisabledReason,
}

text_enum!(
    /// Why an endpoint gets nothing.
    DisabledReason {
        Administrator = "administrator",
        /// It answered with 410.
        Gone = "gone",
        /// Nothing has reached it for days.
        Failing = "failing",
    }
);

/// Which events an endpoint wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    All,
    Only(Vec<EventType>),
}

impl Filter {
    /// No names are all events; a name given twice counts once.
    #[must_use]
    pub fn new(events: Vec<EventType>) -> Self {
        let mut unique: Vec<EventType> = Vec::new();
        for event in events {
            if !unique.contains(&event) {
                unique.push(event);
            }
        }
        if unique.is_empty() { Self::All } else { Self::Only(unique) }
    }

    #[must_use]
    pub fn wants(&self, event: EventType) -> bool {
        match self {
            Self::All => true,
            Self::Only(events) => events.contains(&event),
        }
    }

    /// The names, none for all.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        match self {
            Self::All => Vec::new(),
            Self::Only(events) => events.iter().map(|event| event.as_str()).collect(),
        }
    }
}

/// The key that signs an endpoint's events. Cannot be printed.
pub struct SigningSecret(Zeroizing<Vec<u8>>);

impl SigningSecret {
    #[must_use]
    pub fn new(random: [u8; SECRET_BYTES]) -> Self {
        Self(Zeroizing::new(random.to_vec()))
    }

    #[must_use]
    pub const fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As the platform gets it, once: `whsec_` and base64.
    #[must_use]
    pub fn reveal(&self) -> Secret {
        Secret::new(format!("whsec_{}", STANDARD.encode(&*self.0)))
    }
}

/// Hands over what the seal of an endpoint's secret is bound to: it opens for no other endpoint.
pub fn bind<T>(tenant: &TenantId, id: EndpointId, then: impl FnOnce(&[&[u8]]) -> T) -> T {
    then(&[b"webhook-secret", tenant.as_str().as_bytes(), id.as_bytes()])
}

/// Why a URL can't be an endpoint's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetRefusal {
    #[error("must be an absolute https URL")]
    NotHttp,
    #[error("must use https")]
    Insecure,
    #[error("must not contain a user name or password")]
    Credentials,
    #[error("must not have a fragment")]
    Fragment,
    #[error("is longer than 2048 characters")]
    TooLong,
    #[error("is at an address that is not reachable from here")]
    Address,
}

impl TargetRefusal {
    /// Stable, for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotHttp => "invalid_url",
            Self::Insecure => "insecure_url",
            Self::Credentials => "credentials_in_url",
            Self::Fragment => "fragment_in_url",
            Self::TooLong => "too_long",
            Self::Address => "address_not_allowed",
        }
    }
}

/// What an endpoint's URL may be, by the operator's will.
#[derive(Debug, Clone, Default)]
pub struct TargetRules {
    pub allow_insecure_http: bool,
    pub reach: Reach,
}

impl TargetRules {
    /// The URL as it was understood. Names are judged by the addresses that they resolve to, each time one is called.
    ///
    /// # Errors
    /// [`TargetRefusal`] naming what is wrong.
    pub fn check(&self, text: &str) -> Result<Url, TargetRefusal> {
        if text.len() > URL_MAX {
            return Err(TargetRefusal::TooLong);
        }
        let url = Url::parse(text).or(Err(TargetRefusal::NotHttp))?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_insecure_http => {}
            "http" => return Err(TargetRefusal::Insecure),
            _ => return Err(TargetRefusal::NotHttp),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetRefusal::Credentials);
        }
        if url.fragment().is_some() {
            return Err(TargetRefusal::Fragment);
        }
        match literal_address(&url) {
            Some(address) if !self.reach.contains(address) => Err(TargetRefusal::Address),
            _ => Ok(url),
        }
    }
}

/// The address that stands in the URL in place of a name.
fn literal_address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_https_at_a_public_address_without_secrets_in_it() {
        let rules = TargetRules::default();
        let check = |url: &str| rules.check(url).map(|url| url.to_string());
        assert_eq!(
            check("https://hooks.example.com:8443/in?x=1").as_deref(),
            Ok("https://hooks.example.com:8443/in?x=1")
        );
        for (url, refusal) in [
            ("http://hooks.example.com/", TargetRefusal::Insecure),
            ("http://localhost/", TargetRefusal::Insecure),
            ("ftp://hooks.example.com/", TargetRefusal::NotHttp),
            ("hooks.example.com", TargetRefusal::NotHttp),
            ("https://user@hooks.example.com/", TargetRefusal::Credentials),
            ("https://:pw@hooks.example.com/", TargetRefusal::Credentials),
            ("https://hooks.example.com/#x", TargetRefusal::Fragment),
            ("https://127.0.0.1/", TargetRefusal::Address),
            ("https://2130706433/", TargetRefusal::Address),
            ("https://0x7f.1/", TargetRefusal::Address),
            ("https://[::ffff:10.0.0.1]/", TargetRefusal::Address),
            ("https://[fe80::1]/", TargetRefusal::Address),
            ("https://169.254.169.254/latest/meta-data", TargetRefusal::Address),
        ] {
            assert_eq!(check(url), Err(refusal), "{url}");
        }
        assert_eq!(check(&format!("https://hooks.example.com/{}", "x".repeat(URL_MAX))), Err(TargetRefusal::TooLong));
    }

    #[test]
    fn the_operator_may_allow_more() {
        let rules =
            TargetRules { allow_insecure_http: true, reach: Reach { allowed: vec!["127.0.0.0/8".parse().unwrap()] } };
        assert!(rules.check("http://127.0.0.1:8080/").is_ok());
        assert_eq!(rules.check("http://10.0.0.1/"), Err(TargetRefusal::Address));
    }

    #[test]
    fn a_filter_of_no_names_wants_everything() {
        assert_eq!(Filter::new(Vec::new()), Filter::All);
        let only = Filter::new(vec![EventType::InvitationSent, EventType::InvitationSent]);
        assert_eq!(only.names(), ["invitation.sent"]);
        assert!(only.wants(EventType::InvitationSent) && !only.wants(EventType::InvitationIssued));
    }

    #[test]
    fn a_secret_is_shown_as_the_standard_writes_it() {
        let shown = SigningSecret::new([7; 32]).reveal();
        assert_eq!(shown.expose(), "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
    }
}
