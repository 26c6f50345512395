//! Twilio SendGrid, mail send of API version 3.

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use url::Url;

use super::answer::{Dialect, Means, Place, WRONG_ADDRESS, When};
use super::call::below;
use super::{EmailMessage, with};
use crate::domain::secret::Secret;
use crate::domain::sender::Sender;

/// 202 with an empty body, the id in a header. Errors have words and no codes: only statuses count
/// (<https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send>).
pub(super) const DIALECT: Dialect<'_> = Dialect {
    vendor: "sendgrid",
    id: &[Place::Header("x-message-id")],
    // That of an acceptance is 202.
    table: &[(When::Status(200), Means::Unreadable)],
    accepted: &[202],
    more: &WRONG_ADDRESS,
    ..Dialect::PLAIN
};

pub struct SendGrid {
    /// `https://api.sendgrid.com`, or that of the EU.
    pub url: Url,
    pub token: Secret,
    pub from: Sender,
}

impl SendGrid {
    pub(super) fn request(&self, client: &Client, message: &EmailMessage<'_>) -> RequestBuilder {
        let from = message.from.unwrap_or(&self.from);
        let body = json!({
            "personalizations": [{
                "to": [party(message.to.as_str(), message.to_name)],
                "custom_args": {"message_id": message.message_id, "tenant": message.tenant},
            }],
            "from": party(from.address.as_str(), from.name.as_deref()),
            "subject": message.subject,
            "content": [
                {"type": "text/plain", "value": message.text},
                {"type": "text/html", "value": message.html},
            ],
            "categories": [message.kind],
            // A tracked link would show the token to a third party.
            "tracking_settings": {
                "click_tracking": {"enable": false, "enable_text": false},
                "open_tracking": {"enable": false},
                "subscription_tracking": {"enable": false},
            },
        });
        let body = with(body, "reply_to", message.reply_to.map(|address| party(address.as_str(), None)));
        client.post(below(&self.url, "/v3/mail/send")).bearer_auth(self.token.expose()).json(&body)
    }
}

fn party(address: &str, name: Option<&str>) -> Value {
    match name {
        Some(name) => json!({"email": address, "name": name}),
        None => json!({"email": address}),
    }
}
