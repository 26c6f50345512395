//! Postmark.

use reqwest::{Client, RequestBuilder};
use serde_json::json;
use url::Url;

use super::answer::{Dialect, Means, Place, When};
use super::call::below;
use super::{EmailMessage, with};
use crate::domain::secret::Secret;
use crate::domain::sender::Sender;

/// 200 with an `ErrorCode` of 0, else 422 with the code (<https://postmarkapp.com/developer/api/overview#error-codes>).
pub(super) const DIALECT: Dialect<'_> = Dialect {
    vendor: "postmark",
    says: Some(("/ErrorCode", "0")),
    id: &[Place::Json("/MessageID")],
    code: &[Place::Json("/ErrorCode")],
    table: &[
        // The token.
        (When::Code("10"), Means::Misconfigured),
        // Maintenance.
        (When::Code("100"), Means::Unknown),
        // The sender is not known, or not confirmed.
        (When::Code("400"), Means::Misconfigured),
        (When::Code("401"), Means::Misconfigured),
        // No credits left.
        (When::Code("405"), Means::Misconfigured),
        // The recipient bounced, complained or was taken off.
        (When::Code("406"), Means::Rejected),
        // The account is not approved yet, or may not send.
        (When::Code("412"), Means::Misconfigured),
        (When::Code("413"), Means::Misconfigured),
        (When::Status(404), Means::Misconfigured),
        (When::Status(405), Means::Misconfigured),
    ],
    ..Dialect::PLAIN
};

pub struct Postmark {
    /// `https://api.postmarkapp.com`
    pub url: Url,
    pub token: Secret,
    pub from: Sender,
    /// Message stream; `outbound` is that of transactions.
    pub stream: String,
}

impl Postmark {
    pub(super) fn request(&self, client: &Client, message: &EmailMessage<'_>) -> RequestBuilder {
        let body = json!({
            "From": message.from.unwrap_or(&self.from).to_string(),
            "To": message.to.as_str(),
            "Subject": message.subject,
            "TextBody": message.text,
            "HtmlBody": message.html,
            "MessageStream": self.stream,
            "Tag": message.kind,
            "Metadata": {"message_id": message.message_id, "tenant": message.tenant},
            // A tracked link would show the token to a third party.
            "TrackOpens": false,
            "TrackLinks": "None",
        });
        let body = with(body, "ReplyTo", message.reply_to.map(|address| json!(address.as_str())));
        let request = client.post(below(&self.url, "/email")).header("X-Postmark-Server-Token", self.token.expose());
        request.header("Accept", "application/json").json(&body)
    }
}
