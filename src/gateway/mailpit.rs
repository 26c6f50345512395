//! Mailpit, which catches mail for tests and shows it.

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use url::Url;

use super::answer::{Dialect, Place, WRONG_ADDRESS};
use super::call::below;
use super::{EmailMessage, with};
use crate::domain::secret::Secret;
use crate::domain::sender::Sender;

/// `{"ID"}`, or 400 with words (<https://mailpit.axllent.org/docs/api-v1/>).
pub(super) const DIALECT: Dialect<'_> =
    Dialect { vendor: "mailpit", id: &[Place::Json("/ID")], has_id: true, table: &WRONG_ADDRESS, ..Dialect::PLAIN };

pub struct Mailpit {
    pub url: Url,
    /// User name and password, where its API asks for them.
    pub credential: Option<(String, Secret)>,
    pub from: Sender,
}

impl Mailpit {
    pub(super) fn request(&self, client: &Client, message: &EmailMessage<'_>) -> RequestBuilder {
        let from = message.from.unwrap_or(&self.from);
        let body = json!({
            "From": party(from.address.as_str(), from.name.as_deref()),
            "To": [party(message.to.as_str(), message.to_name)],
            "Subject": message.subject,
            "Text": message.text,
            "HTML": message.html,
            "Tags": [message.kind],
            "Headers": {"X-Message-Id": message.message_id},
        });
        let body = with(body, "ReplyTo", message.reply_to.map(|address| json!([party(address.as_str(), None)])));
        self.sign(client.post(below(&self.url, "/api/v1/send"))).json(&body)
    }

    pub(super) fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.credential {
            Some((user, password)) => request.basic_auth(user, Some(password.expose())),
            None => request,
        }
    }
}

fn party(address: &str, name: Option<&str>) -> Value {
    match name {
        Some(name) => json!({"Email": address, "Name": name}),
        None => json!({"Email": address}),
    }
}
