//! Text messages by Amazon SNS.

use reqwest::RequestBuilder;
use url::form_urlencoded::Serializer;

use super::answer::{Dialect, Means, Place, When};
use super::aws::{AwsAccount, COMMON_ERRORS, Content};
use super::call::Line;
use super::{Outcome, SmsMessage};

/// XML with a `MessageId`, or the `Code` of an error
/// (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html#API_Publish_Errors>).
pub(super) const DIALECT: Dialect<'_> = Dialect {
    vendor: "sns",
    id: &[Place::Xml("MessageId")],
    has_id: true,
    code: &[Place::Xml("Code")],
    table: &[
        // Our mistake, or a number that can't be one.
        (When::Code("InvalidParameter"), Means::Rejected),
        (When::Code("InvalidParameterValue"), Means::Rejected),
        // The account's limit of what it spends.
        (When::Code("QuotaExceeded"), Means::Exhausted),
        (When::Code("InternalError"), Means::Unknown),
    ],
    more: &COMMON_ERRORS,
    ..Dialect::PLAIN
};

pub struct Sns {
    pub account: AwsAccount,
    /// A number, or the name of a sender where a country allows that.
    pub from: Option<String>,
}

impl Sns {
    pub(super) async fn request(&self, line: &Line, message: &SmsMessage<'_>) -> Result<RequestBuilder, Outcome> {
        let content = Content { kind: "application/x-www-form-urlencoded", bytes: self.form(message).into_bytes() };
        self.account.post(line, ("sns", "sns"), "/", content).await
    }

    fn form(&self, message: &SmsMessage<'_>) -> String {
        let mut attributes = vec![("AWS.SNS.SMS.SMSType", "Transactional")];
        if let Some(from) = message.from.or(self.from.as_deref()) {
            let name = if from.starts_with('+') { "AWS.MM.SMS.OriginationNumber" } else { "AWS.SNS.SMS.SenderID" };
            attributes.push((name, from));
        }
        let mut form = Serializer::new(String::new());
        form.append_pair("Action", "Publish").append_pair("Version", "2010-03-31");
        form.append_pair("PhoneNumber", message.to.as_str()).append_pair("Message", message.text);
        for (index, (name, value)) in (1..).zip(attributes) {
            let entry = format!("MessageAttributes.entry.{index}");
            form.append_pair(&format!("{entry}.Name"), name);
            form.append_pair(&format!("{entry}.Value.DataType"), "String");
            form.append_pair(&format!("{entry}.Value.StringValue"), value);
        }
        form.finish()
    }
}
