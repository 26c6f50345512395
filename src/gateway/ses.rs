//! Amazon SES, API version 2. Tracking is a matter of the configuration set there; without one there is none.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::answer::{Dialect, Means, Place, Row, When};
use super::aws::{AwsAccount, COMMON_ERRORS, Content};
use super::call::Line;
use super::{EmailMessage, Outcome, with};
use crate::domain::sender::Sender;

/// `{"MessageId"}`; an error's name in a header or in the body
/// (<https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors>).
pub(super) const DIALECT: Dialect<'_> = Dialect {
    vendor: "ses",
    id: &[Place::Json("/MessageId")],
    has_id: true,
    code: &[Place::Header("x-amzn-errortype"), Place::Json("/__type"), Place::Xml("Code")],
    table: &ERRORS,
    more: &COMMON_ERRORS,
    ..Dialect::PLAIN
};

const ERRORS: [Row<'static>; 8] = [
    // `MessageRejected` for a sender that is not verified, as for content; in the sandbox of SES for recipients, too, which is the account's.
    (When::Says("Email address is not verified"), Means::Misconfigured),
    // `TooManyRequestsException`, as for too many in a second.
    (When::Says("Daily message quota"), Means::Exhausted),
    (When::Code("AccountSuspendedException"), Means::Misconfigured),
    (When::Code("SendingPausedException"), Means::Misconfigured),
    (When::Code("MailFromDomainNotVerifiedException"), Means::Misconfigured),
    // The configuration set.
    (When::Code("NotFoundException"), Means::Misconfigured),
    (When::Code("LimitExceededException"), Means::Exhausted),
    (When::Code("TooManyRequestsException"), Means::Throttled),
];

pub struct Ses {
    pub account: AwsAccount,
    pub from: Sender,
    pub configuration_set: Option<String>,
}

impl Ses {
    pub(super) async fn request(&self, line: &Line, message: &EmailMessage<'_>) -> Result<RequestBuilder, Outcome> {
        let body = json!({
            "FromEmailAddress": message.from.unwrap_or(&self.from).in_ascii(),
            "Destination": {"ToAddresses": [message.to.as_str()]},
            "Content": {"Simple": {
                "Subject": utf8(message.subject),
                "Body": {"Text": utf8(message.text), "Html": utf8(message.html)},
            }},
            // ASCII letters, digits, `_` and `-` only, so not the tenant.
            "EmailTags": [
                {"Name": "message_id", "Value": message.message_id},
                {"Name": "kind", "Value": message.kind},
            ],
        });
        let body = with(body, "ReplyToAddresses", message.reply_to.map(|address| json!([address.as_str()])));
        let body = with(body, "ConfigurationSetName", self.configuration_set.as_deref().map(Value::from));
        let content = Content { kind: "application/json", bytes: body.to_string().into_bytes() };
        self.account.post(line, ("ses", "email"), "/v2/email/outbound-emails", content).await
    }
}

fn utf8(text: &str) -> Value {
    json!({"Data": text, "Charset": "UTF-8"})
}
