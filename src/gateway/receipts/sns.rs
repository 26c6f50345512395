//! Messages of Amazon SNS: signed with a certificate that is fetched from the topic's own region, and from nowhere else.
//!
//! Nothing is fetched for a message of another topic or time, a certificate only once a day, and never more than a few a minute.

use std::sync::Mutex;
use std::time::Duration;

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters, UnparsedPublicKey,
};
use reqwest::Client;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use url::Url;

use super::{Posted, Refused, decoded, is_near};
use crate::domain::time::Timestamp;
use crate::outbound::{self, Egress, OutboundError};

/// How long a call to SNS may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long a certificate is believed before it is fetched again.
const KEPT_FOR: Duration = Duration::from_hours(24);
/// Certificates kept; SNS signs with one, and with two for a while.
const KEPT: usize = 4;
/// Certificates fetched in a minute, at most.
const FETCHES: usize = 5;

/// A topic, and where its region is.
#[derive(Clone)]
pub struct Topic {
    arn: String,
    /// Without a path.
    origin: Url,
}

impl Topic {
    /// `arn:aws:sns:REGION:ACCOUNT:NAME`; what is fetched comes from its region, or from `endpoint` in its place. `None` when it is no such name.
    #[must_use]
    pub fn parse(arn: &str, endpoint: Option<Url>) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        let [first, partition, service, region, account, name] = parts.as_slice() else { return None };
        let is_word =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        let is_topic =
            *first == "arn" && *service == "sns" && account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        if !is_topic || !is_word(region) || !is_word(name.trim_end_matches(".fifo")) {
            return None;
        }
        let suffix = match *partition {
            "aws" | "aws-us-gov" => "amazonaws.com",
            "aws-cn" => "amazonaws.com.cn",
            _ => return None,
        };
        let own = || Url::parse(&format!("https://sns.{region}.{suffix}/")).ok();
        Some(Self { arn: arn.to_owned(), origin: endpoint.or_else(own)? })
    }

    /// Whether it is the place of a certificate of the topic's region, and nothing else is in the URL.
    pub(super) fn has_certificate(&self, url: &Url) -> bool {
        let file = url.path().strip_prefix("/SimpleNotificationService-").and_then(|rest| rest.strip_suffix(".pem"));
        let is_file =
            file.is_some_and(|id| !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric()));
        let is_plain =
            url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        is_file && is_plain && url.origin() == self.origin.origin()
    }
}

/// What kind of message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Kind {
    Notification,
    SubscriptionConfirmation,
    UnsubscribeConfirmation,
}

/// A message as it is sent.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Message {
    #[serde(rename = "Type")]
    pub(super) kind: Kind,
    #[serde(rename = "Message")]
    pub(super) text: String,
    #[serde(rename = "MessageId")]
    id: String,
    timestamp: String,
    topic_arn: String,
    subject: Option<String>,
    token: Option<String>,
    #[serde(rename = "SubscribeURL")]
    subscribe_url: Option<String>,
    signature: String,
    signature_version: String,
    #[serde(rename = "SigningCertURL", alias = "SigningCertUrl")]
    certificate: Url,
}

impl Message {
    /// What is signed: names and values, a line each, in this order.
    fn signed(&self) -> String {
        let kind = match self.kind {
            Kind::Notification => "Notification",
            Kind::SubscriptionConfirmation => "SubscriptionConfirmation",
            Kind::UnsubscribeConfirmation => "UnsubscribeConfirmation",
        };
        let is_notification = self.kind == Kind::Notification;
        let fields = [
            ("Message", Some(self.text.as_str())),
            ("MessageId", Some(self.id.as_str())),
            ("Subject", self.subject.as_deref().filter(|_| is_notification)),
            ("SubscribeURL", self.subscribe_url.as_deref().filter(|_| !is_notification)),
            ("Timestamp", Some(self.timestamp.as_str())),
            ("Token", self.token.as_deref().filter(|_| !is_notification)),
            ("TopicArn", Some(self.topic_arn.as_str())),
            ("Type", Some(kind)),
        ];
        let lines = fields.iter().filter_map(|(name, value)| value.map(|value| format!("{name}\n{value}\n")));
        lines.collect()
    }

    fn algorithm(&self) -> Option<&'static RsaParameters> {
        match self.signature_version.as_str() {
            // What topics have unless they were told otherwise.
            "1" => Some(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY),
            "2" => Some(&RSA_PKCS1_2048_8192_SHA256),
            _ => None,
        }
    }

    fn is_signed_with(&self, public_key: &[u8]) -> Result<(), Refused> {
        let algorithm = self.algorithm().ok_or(Refused::Signature)?;
        let signature = decoded(&self.signature)?;
        let key = UnparsedPublicKey::new(algorithm, public_key);
        key.verify(self.signed().as_bytes(), &signature).or(Err(Refused::Signature))
    }
}

/// A certificate's public key, since when it is kept.
struct Certificate {
    url: Url,
    public_key: Vec<u8>,
    fetched_at: Timestamp,
}

#[derive(Default)]
struct Certificates {
    kept: Vec<Certificate>,
    /// When the last ones were asked for.
    fetches: Vec<Timestamp>,
}

/// A topic, and the certificates that its messages are proved with.
pub(super) struct Sns {
    topic: Topic,
    client: Client,
    certificates: Mutex<Certificates>,
}

impl Sns {
    pub(super) fn new(egress: &Egress, topic: Topic) -> Result<Self, OutboundError> {
        Ok(Self { topic, client: egress.client(DEADLINE)?, certificates: Mutex::default() })
    }

    /// The message, once it is known to be the topic's.
    pub(super) async fn prove(&self, posted: &Posted, now: Timestamp) -> Result<Message, Refused> {
        let message: Message = serde_json::from_slice(&posted.body).or(Err(Refused::Signature))?;
        let time = Timestamp::parse(&message.timestamp).ok_or(Refused::Signature)?;
        let is_ours = message.topic_arn == self.topic.arn && self.topic.has_certificate(&message.certificate);
        if !is_ours || !is_near(time, now) {
            return Err(Refused::Signature);
        }
        let public_key = match self.kept(&message.certificate, now) {
            Some(public_key) => public_key,
            None => self.fetch(&message.certificate, now).await?,
        };
        message.is_signed_with(&public_key)?;
        Ok(message)
    }

    /// Says yes to the subscription that the message tells of. Only its token is used, not the URL that it names.
    pub(super) async fn confirm(&self, message: &Message) -> Result<(), Refused> {
        let token = message.token.as_deref().ok_or(Refused::Malformed)?;
        let mut url = self.topic.origin.clone();
        url.query_pairs_mut()
            .append_pair("Action", "ConfirmSubscription")
            .append_pair("TopicArn", &self.topic.arn)
            .append_pair("Token", token);
        let answer = self.client.get(url).send().await.or(Err(Refused::Unavailable))?;
        if answer.status().is_success() { Ok(()) } else { Err(Refused::Unavailable) }
    }

    fn kept(&self, url: &Url, now: Timestamp) -> Option<Vec<u8>> {
        let certificates = self.certificates.lock().ok()?;
        let mut kept = certificates.kept.iter();
        let found = kept.find(|kept| kept.url == *url && now.since(kept.fetched_at) < KEPT_FOR)?;
        Some(found.public_key.clone())
    }

    async fn fetch(&self, url: &Url, now: Timestamp) -> Result<Vec<u8>, Refused> {
        if !self.may_fetch(now) {
            tracing::warn!("too many certificates of Amazon SNS are asked for");
            return Err(Refused::Unavailable);
        }
        let answer = self.client.get(url.clone()).send().await.or(Err(Refused::Unavailable))?;
        match answer.status() {
            status if status.is_success() => {}
            // There is no such certificate: somebody made the name up.
            status if status.is_client_error() => return Err(Refused::Signature),
            _ => return Err(Refused::Unavailable),
        }
        let pem = outbound::read_body(answer).await.ok_or(Refused::Unavailable)?;
        let public_key = public_key(&pem).ok_or(Refused::Signature)?;
        self.keep(Certificate { url: url.clone(), public_key: public_key.clone(), fetched_at: now });
        Ok(public_key)
    }

    fn may_fetch(&self, now: Timestamp) -> bool {
        let Ok(mut certificates) = self.certificates.lock() else { return false };
        certificates.fetches.retain(|then| now.since(*then) < Duration::from_mins(1));
        let may = certificates.fetches.len() < FETCHES;
        if may {
            certificates.fetches.push(now);
        }
        may
    }

    fn keep(&self, new: Certificate) {
        if let Ok(mut certificates) = self.certificates.lock() {
            certificates.kept.retain(|kept| kept.url != new.url);
            if certificates.kept.len() >= KEPT {
                certificates.kept.remove(0);
            }
            certificates.kept.push(new);
        }
    }
}

/// The public key (DER) of a certificate in PEM.
fn public_key(pem: &[u8]) -> Option<Vec<u8>> {
    let certificate = CertificateDer::from_pem_slice(pem).ok()?;
    let certificate = webpki::EndEntityCert::try_from(&certificate).ok()?;
    Some(certificate.subject_public_key_info().as_ref().to_vec())
}
