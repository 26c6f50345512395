//! Resend. Whether links are tracked is a setting of the domain there, not of a message.

use reqwest::{Client, RequestBuilder};
use serde_json::json;
use url::Url;

use super::answer::{Dialect, Means, Place, WRONG_ADDRESS, When};
use super::call::below;
use super::{EmailMessage, with};
use crate::domain::secret::Secret;
use crate::domain::sender::Sender;

/// `{"id"}`, or `{"name"}` of an error (<https://resend.com/docs/api-reference/errors>).
pub(super) const DIALECT: Dialect<'_> = Dialect {
    vendor: "resend",
    id: &[Place::Json("/id")],
    has_id: true,
    code: &[Place::Json("/name")],
    table: &[
        (When::Code("missing_api_key"), Means::Misconfigured),
        (When::Code("restricted_api_key"), Means::Misconfigured),
        (When::Code("invalid_api_key"), Means::Misconfigured),
        (When::Code("invalid_from_address"), Means::Misconfigured),
        (When::Code("invalid_access"), Means::Misconfigured),
        (When::Code("not_found"), Means::Misconfigured),
        (When::Code("method_not_allowed"), Means::Misconfigured),
        (When::Code("daily_quota_exceeded"), Means::Exhausted),
        (When::Code("monthly_quota_exceeded"), Means::Exhausted),
        // The words changed since the first try (a template, the minutes that are left); the secret is the same.
        (When::Code("invalid_idempotent_request"), Means::TakenBefore),
    ],
    more: &WRONG_ADDRESS,
    ..Dialect::PLAIN
};

pub struct Resend {
    /// `https://api.resend.com`
    pub url: Url,
    pub token: Secret,
    pub from: Sender,
}

impl Resend {
    pub(super) fn request(&self, client: &Client, message: &EmailMessage<'_>) -> RequestBuilder {
        let body = json!({
            "from": message.from.unwrap_or(&self.from).to_string(),
            "to": [message.to.as_str()],
            "subject": message.subject,
            "text": message.text,
            "html": message.html,
            // ASCII letters, digits, `_` and `-` only, so not the tenant.
            "tags": [
                {"name": "message_id", "value": message.message_id},
                {"name": "kind", "value": message.kind},
            ],
        });
        let body = with(body, "reply_to", message.reply_to.map(|address| json!(address.as_str())));
        let request = client.post(below(&self.url, "/emails")).bearer_auth(self.token.expose());
        request.header("Idempotency-Key", message.message_id).json(&body)
    }
}
