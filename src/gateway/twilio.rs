//! Twilio, messages of API version 2010-04-01.

use reqwest::{Client, RequestBuilder};
use url::Url;

use super::SmsMessage;
use super::answer::{Dialect, Means, Place, Row, When};
use super::call::below;
use crate::domain::secret::Secret;

/// 201 with a `sid`, or the `code` of an error (<https://www.twilio.com/docs/api/errors>). What depends on the recipient is rejected, what depends on
/// the account or its sender is the operator's to mend.
pub(super) const DIALECT: Dialect<'_> = Dialect {
    vendor: "twilio",
    id: &[Place::Json("/sid")],
    has_id: true,
    code: &[Place::Json("/code")],
    table: &ERRORS,
    ..Dialect::PLAIN
};

const ERRORS: [Row<'static>; 20] = [
    // Suspended, not active, wrong credential, not allowed, not there, wrong route.
    (When::Code("10001"), Means::Misconfigured),
    (When::Code("20003"), Means::Misconfigured),
    (When::Code("20005"), Means::Misconfigured),
    (When::Code("20403"), Means::Misconfigured),
    (When::Code("20404"), Means::Misconfigured),
    (When::Code("20004"), Means::Misconfigured),
    // The sender: missing, not a number, not ours, can't send text.
    (When::Code("21603"), Means::Misconfigured),
    (When::Code("21212"), Means::Misconfigured),
    (When::Code("21606"), Means::Misconfigured),
    (When::Code("21659"), Means::Misconfigured),
    (When::Code("21660"), Means::Misconfigured),
    (When::Code("21661"), Means::Misconfigured),
    // The messaging service: not there, without numbers.
    (When::Code("21701"), Means::Misconfigured),
    (When::Code("21703"), Means::Misconfigured),
    // The sender's queue is full; more calls or messages than the account may have.
    (When::Code("21611"), Means::Throttled),
    (When::Code("14107"), Means::Throttled),
    (When::Code("20429"), Means::Throttled),
    (When::Code("63038"), Means::Exhausted),
    // Where it is to report to can't be called.
    (When::Code("21609"), Means::Misconfigured),
    (When::Status(404), Means::Misconfigured),
];

pub struct Twilio {
    /// `https://api.twilio.com`
    pub url: Url,
    pub account_sid: String,
    /// SID of an API key, whose secret is the token then.
    pub api_key: Option<String>,
    pub token: Secret,
    pub from: TwilioSender,
    /// Where it reports what became of messages, if it is to.
    pub status_callback: Option<Url>,
}

/// What picks the sender.
pub enum TwilioSender {
    /// A number, short code or name.
    Own(String),
    /// SID of a messaging service, which has a pool of them.
    Service(String),
}

impl Twilio {
    pub(super) fn request(&self, client: &Client, message: &SmsMessage<'_>) -> RequestBuilder {
        let from = match (message.from, &self.from) {
            (Some(from), _) => ("From", from),
            (None, TwilioSender::Own(from)) => ("From", from.as_str()),
            (None, TwilioSender::Service(sid)) => ("MessagingServiceSid", sid.as_str()),
        };
        let mut form = vec![("To", message.to.as_str()), from, ("Body", message.text)];
        form.extend(self.status_callback.as_ref().map(|url| ("StatusCallback", url.as_str())));
        let url = below(&self.url, &format!("/2010-04-01/Accounts/{}/Messages.json", self.account_sid));
        self.sign(client.post(url)).form(&form)
    }

    pub(super) fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        let user = self.api_key.as_ref().unwrap_or(&self.account_sid);
        request.basic_auth(user, Some(self.token.expose()))
    }
}
