use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use invited::clock::Clock as _;
use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{Reply, Settings, TestApp};

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:ses-events";
const CERTIFICATE: &str = "/SimpleNotificationService-0a1b2c.pem";
const WHSEC: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Every vendor that reports on messages.
pub(crate) const VENDORS: [&str; 6] = ["twilio", "sendgrid", "resend", "mailgun", "ses", "postmark"];

/// The vendors with their keys, and a region of Amazon SNS.
pub(crate) struct Vendors {
    sendgrid: EcdsaKeyPair,
    pub(crate) region: MockServer,
}

pub(crate) fn channel_of(vendor: &str) -> &'static str {
    if vendor == "twilio" { "sms" } else { "email" }
}

impl Vendors {
    pub(crate) async fn start() -> Self {
        let region = MockServer::start().await;
        let certificate =
            ResponseTemplate::new(200).set_body_string(include_str!("../../fixtures/sns_certificate.pem"));
        Mock::given(method("GET")).and(path(CERTIFICATE)).respond_with(certificate).mount(&region).await;
        let confirmed = Mock::given(method("GET")).and(query_param("Action", "ConfirmSubscription"));
        confirmed.and(query_param("TopicArn", TOPIC)).respond_with(ResponseTemplate::new(200)).mount(&region).await;
        Self { sendgrid: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(), region }
    }

    /// A service that listens to all of them.
    pub(crate) fn settings(&self) -> Settings {
        let key = STANDARD.encode(self.sendgrid.public_key());
        let sections = format!(
            "{}\n[callbacks]\ntwilio.auth_token = \"12345\"\nsendgrid.public_key = \"{key}\"\nresend.secret = \"whsec_{WHSEC}\"
             mailgun.signing_key = \"signing-key\"\nses = {{ topic_arn = \"{TOPIC}\", endpoint = \"{}\" }}
             postmark = {{ username = \"postmark\", password = \"secret\" }}",
            super::receiver::NEAR,
            self.region.uri()
        );
        Settings { sections: sections.leak(), ..Settings::default() }
    }

    /// What the vendor says of the message: `delivered`, `bounced` for good, or `suppressed`; `SendGrid` also `soft`, `rejected`, `complained`.
    pub(crate) fn event(vendor: &str, id: &str, what: &str) -> String {
        let bounced = what != "delivered";
        let is_listed = what == "suppressed";
        let event = match vendor {
            "twilio" if bounced => {
                let code = if is_listed { 21610 } else { 30005 };
                return format!("ErrorCode={code}&MessageSid={id}&MessageStatus=undelivered&To=%2B94771234567");
            }
            "twilio" => return format!("MessageSid={id}&MessageStatus=delivered&To=%2B94771234567"),
            "sendgrid" if is_listed => json!([{"event": "dropped", "reason": "Bounced Address", "sg_message_id": id}]),
            "sendgrid" if what == "soft" => json!([{"event": "bounce", "type": "blocked", "sg_message_id": id}]),
            "sendgrid" if what == "rejected" => {
                json!([{"event": "dropped", "reason": "Spam Content", "sg_message_id": id}])
            }
            "sendgrid" if what == "complained" => json!([{"event": "spamreport", "sg_message_id": id}]),
            "sendgrid" if bounced => {
                json!([{"event": "bounce", "status": "5.1.1", "sg_message_id": format!("{id}.recvd-5f7"), "email": "alex@example.com",
                        "reason": "550 alex@example.com: no such user"}])
            }
            "sendgrid" => json!([{"event": "delivered", "sg_message_id": format!("{id}.recvd-5f7")}]),
            "resend" if bounced => {
                let subtype = if is_listed { "Suppressed" } else { "General" };
                let bounce =
                    json!({"type": "Permanent", "subType": subtype, "message": "alex@example.com: no such user"});
                json!({"type": "email.bounced", "data": {"email_id": id, "to": ["alex@example.com"], "bounce": bounce}})
            }
            "resend" => json!({"type": "email.delivered", "data": {"email_id": id}}),
            "mailgun" => {
                let (event, severity) = if bounced { ("failed", "permanent") } else { ("delivered", "") };
                let reason = if is_listed { "suppress-bounce" } else { "bounce" };
                json!({"event": event, "severity": severity, "reason": reason, "recipient": "alex@example.com",
                       "delivery-status": {"code": 550}, "message": {"headers": {"message-id": id.trim_matches(['<', '>'])}}})
            }
            "ses" if bounced => {
                let subtype = if is_listed { "OnAccountSuppressionList" } else { "General" };
                let recipients = json!([{"emailAddress": "alex@example.com", "status": "5.1.1"}]);
                json!({"eventType": "Bounce", "mail": {"messageId": id},
                       "bounce": {"bounceType": "Permanent", "bounceSubType": subtype, "bouncedRecipients": recipients}})
            }
            "ses" => json!({"eventType": "Delivery", "mail": {"messageId": id}}),
            _ if bounced => {
                let kind = if is_listed { "ManuallyDeactivated" } else { "HardBounce" };
                json!({"RecordType": "Bounce", "Type": kind, "MessageID": id, "Email": "alex@example.com"})
            }
            _ => json!({"RecordType": "Delivery", "MessageID": id}),
        };
        event.to_string()
    }

    /// The vendor's call with this event, signed now; `prefix` is the tenant's.
    pub(crate) fn call(&self, app: &TestApp, prefix: &str, vendor: &str, event: &str) -> reqwest::RequestBuilder {
        let target = format!("{prefix}/v1/callbacks/{}/{vendor}", channel_of(vendor));
        let time = app.clock.now().seconds();
        let call = app.request("POST", &target);
        let hmac = |algorithm, key: &[u8], text: String| {
            hmac::sign(&hmac::Key::new(algorithm, key), text.as_bytes()).as_ref().to_vec()
        };
        match vendor {
            "twilio" => {
                let fields = event.replace(['&', '='], "").replace("%2B", "+");
                let text = format!("https://invited.example.com{target}{fields}");
                let mac = hmac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"12345", text);
                call.header("X-Twilio-Signature", STANDARD.encode(mac)).body(event.to_owned())
            }
            "sendgrid" => {
                let signature = self.sendgrid.sign(&SystemRandom::new(), format!("{time}{event}").as_bytes()).unwrap();
                call.header("X-Twilio-Email-Event-Webhook-Timestamp", time)
                    .header("X-Twilio-Email-Event-Webhook-Signature", STANDARD.encode(signature))
                    .body(event.to_owned())
            }
            "resend" => {
                let secret = STANDARD.decode(WHSEC).unwrap();
                let mac = STANDARD.encode(hmac(hmac::HMAC_SHA256, &secret, format!("msg_1.{time}.{event}")));
                let call = call.header("Svix-Id", "msg_1").header("Svix-Timestamp", time);
                call.header("Svix-Signature", format!("v1,{mac}")).body(event.to_owned())
            }
            "mailgun" => {
                let token: u128 = u128::from_be_bytes(invited::entropy::bytes());
                call.body(Self::mailgun(time, &format!("{token:032x}"), event))
            }
            "ses" => {
                call.header("Content-Type", "text/plain; charset=UTF-8").body(self.notification(app, event).to_string())
            }
            _ => call.basic_auth("postmark", Some("secret")).body(event.to_owned()),
        }
    }

    /// A call of Mailgun's with a token of choice.
    pub(crate) fn mailgun(time: i64, token: &str, event: &str) -> String {
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"signing-key"), format!("{time}{token}").as_bytes());
        let hex: Vec<String> = mac.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let signature = json!({"timestamp": time.to_string(), "token": token, "signature": hex.concat()});
        format!(r#"{{"signature": {signature}, "event-data": {event}}}"#)
    }

    /// A message of the topic.
    pub(crate) fn notification(&self, app: &TestApp, event: &str) -> Value {
        let time = app.clock_now();
        let fields = [
            ("Message", event),
            ("MessageId", "m-1"),
            ("Timestamp", &time),
            ("TopicArn", TOPIC),
            ("Type", "Notification"),
        ];
        self.sns(&fields)
    }

    /// The topic asks whether it is to send here.
    pub(crate) fn subscription(&self, app: &TestApp) -> Value {
        let (time, url) = (app.clock_now(), "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription");
        let fields = [("Message", "Confirm?"), ("MessageId", "m-2"), ("SubscribeURL", url), ("Timestamp", &time)];
        let more = [("Token", "t-1"), ("TopicArn", TOPIC), ("Type", "SubscriptionConfirmation")];
        self.sns(&[&fields[..], &more[..]].concat())
    }

    fn sns(&self, fields: &[(&str, &str)]) -> Value {
        let key = include_str!("../../fixtures/sns_key.pem").lines().filter(|line| !line.starts_with('-'));
        let key = RsaKeyPair::from_pkcs8(&STANDARD.decode(key.collect::<String>()).unwrap()).unwrap();
        let text: String = fields.iter().flat_map(|(name, value)| [*name, "\n", *value, "\n"]).collect();
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        let mut message: Value = fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        message["SignatureVersion"] = json!("2");
        message["Signature"] = json!(STANDARD.encode(signature));
        message["SigningCertURL"] = json!(format!("{}{CERTIFICATE}", self.region.uri()));
        message
    }

    /// Reports that this became of the message.
    pub(crate) async fn report(&self, app: &TestApp, vendor: &str, id: &str, what: &str) -> Reply {
        app.send(self.call(app, "", vendor, &Self::event(vendor, id, what))).await
    }
}

impl TestApp {
    /// The next message of the channel gets this id of its gateway.
    pub(crate) async fn next_id(&self, channel: &str, id: &str) {
        self.gateway.answers(channel, ResponseTemplate::new(202).set_body_json(json!({"id": id})), 1).await;
    }
}
