//! Mailgun.

use reqwest::{Client, RequestBuilder};
use url::Url;

use super::EmailMessage;
use super::answer::{Dialect, Means, Place, When};
use super::call::below;
use crate::domain::secret::Secret;
use crate::domain::sender::Sender;

/// `{"id","message"}`; errors have words and no codes: only statuses count
/// (<https://documentation.mailgun.com/docs/mailgun/api-reference/mg-errors>).
pub(super) const DIALECT: Dialect<'_> = Dialect {
    vendor: "mailgun",
    id: &[Place::Json("/id")],
    has_id: true,
    table: &[
        // The domain is not there, or not in this region.
        (When::Status(404), Means::Misconfigured),
        (When::Status(402), Means::Misconfigured),
        (When::Status(405), Means::Misconfigured),
    ],
    ..Dialect::PLAIN
};

pub struct Mailgun {
    /// `https://api.mailgun.net`, or that of the EU.
    pub url: Url,
    /// The sending key.
    pub token: Secret,
    pub from: Sender,
    /// The domain that is sent from.
    pub domain: String,
}

impl Mailgun {
    pub(super) fn request(&self, client: &Client, message: &EmailMessage<'_>) -> RequestBuilder {
        let from = message.from.unwrap_or(&self.from).to_string();
        let mut form = vec![
            ("from", from.as_str()),
            ("to", message.to.as_str()),
            ("subject", message.subject),
            ("text", message.text),
            ("html", message.html),
            ("o:tag", message.kind),
            // A tracked link would show the token to a third party.
            ("o:tracking", "no"),
            ("o:tracking-clicks", "no"),
            ("o:tracking-opens", "no"),
            ("v:message_id", message.message_id),
            ("v:tenant", message.tenant),
        ];
        form.extend(message.reply_to.map(|address| ("h:Reply-To", address.as_str())));
        let url = below(&self.url, &format!("/v3/{}/messages", self.domain));
        client.post(url).basic_auth("api", Some(self.token.expose())).form(&form)
    }
}
