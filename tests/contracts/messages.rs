//! Messages to send, and gateways to send them by.

use std::sync::Arc;
use std::time::Duration;

use invited::clock::SystemClock;
use invited::domain::contact::{Email, Phone};
use invited::domain::secret::Secret;
use invited::domain::sender::Sender;
use invited::gateway::{EmailDriver, EmailGateway, EmailMessage, Outcome, SmsDriver, SmsGateway, SmsMessage};
use invited::outbound::Egress;

const TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) async fn send_email(driver: EmailDriver) -> Outcome {
    send_email_as(None, driver).await
}

/// As a tenant with a sender and an address for answers of its own.
pub(crate) async fn send_as_tenant(driver: EmailDriver) -> Outcome {
    let own = (Sender::parse("Acmé <hello@acme.example>").unwrap(), Email::parse("help@acme.example").unwrap());
    send_email_as(Some(own), driver).await
}

async fn send_email_as(own: Option<(Sender, Email)>, driver: EmailDriver) -> Outcome {
    let to = Email::parse("alex@example.com").unwrap();
    let message = EmailMessage {
        message_id: "msg_0198c0de7c5a7d0c9c0f3b1f6f6b2a11",
        tenant: "acme.example",
        kind: "invitation_email_link",
        to: &to,
        to_name: Some("Alex"),
        from: own.as_ref().map(|(from, _)| from),
        reply_to: own.as_ref().map(|(_, reply_to)| reply_to),
        subject: "Zugang für Alex",
        text: "https://app.example.com/set-password#token=inv1_abc",
        html: "<p>Grüße & mehr</p>",
    };
    EmailGateway::new(&Egress::default(), driver, TIMEOUT, Arc::new(SystemClock)).unwrap().send(&message).await
}

pub(crate) async fn send_sms(driver: SmsDriver, to: &str) -> Outcome {
    let to = Phone::parse(to).unwrap();
    let message = SmsMessage {
        message_id: "msg_0198c0de7c5a7d0c9c0f3b1f6f6b2a11",
        tenant: "acme.example",
        kind: "invitation_sms_otp",
        to: &to,
        text: "Your code: 123456 & more",
        from: None,
        is_unicode: false,
    };
    SmsGateway::new(&Egress::default(), driver, TIMEOUT, Arc::new(SystemClock)).unwrap().send(&message).await
}

pub(crate) fn sender() -> Sender {
    Sender::parse("Example <no-reply@example.com>").unwrap()
}

pub(crate) fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}
