//! Vonage, its SMS API: 200 also when it failed, with the verdict inside.

use reqwest::{Client, RequestBuilder};
use url::Url;

use super::SmsMessage;
use super::answer::{Dialect, Means, Place, WRONG_ADDRESS, When};
use super::call::below;
use crate::domain::secret::Secret;

/// `status` 0, or that of an error; the first part of a longer message speaks for all
/// (<https://developer.vonage.com/en/api-errors/sms>).
pub(super) const DIALECT: Dialect<'_> = Dialect {
    vendor: "vonage",
    says: Some(("/messages/0/status", "0")),
    id: &[Place::Json("/messages/0/message-id")],
    code: &[Place::Json("/messages/0/status")],
    table: &[
        (When::Code("1"), Means::Throttled),
        // Wrong credential.
        (When::Code("4"), Means::Misconfigured),
        (When::Code("5"), Means::Unknown),
        // The account is barred, out of credit, or not for this API.
        (When::Code("8"), Means::Misconfigured),
        (When::Code("9"), Means::Misconfigured),
        (When::Code("10"), Means::Throttled),
        (When::Code("11"), Means::Misconfigured),
        // The sender is not allowed.
        (When::Code("15"), Means::Misconfigured),
        // A signature is wanted.
        (When::Code("14"), Means::Misconfigured),
        (When::Code("32"), Means::Misconfigured),
    ],
    more: &WRONG_ADDRESS,
    ..Dialect::PLAIN
};

pub struct Vonage {
    /// `https://rest.nexmo.com/sms`
    pub url: Url,
    pub api_key: String,
    pub api_secret: Secret,
    pub from: String,
}

impl Vonage {
    pub(super) fn request(&self, client: &Client, message: &SmsMessage<'_>) -> RequestBuilder {
        let form = [
            ("api_key", self.api_key.as_str()),
            ("api_secret", self.api_secret.expose()),
            ("from", message.from.unwrap_or(&self.from).trim_start_matches('+')),
            ("to", message.to.as_str().trim_start_matches('+')),
            ("text", message.text),
            ("type", if message.is_unicode { "unicode" } else { "text" }),
            ("client-ref", message.message_id),
        ];
        client.post(below(&self.url, "/json")).form(&form)
    }
}
