//! What each vendor's events mean, in the form that it documents.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::json;

use super::*;

/// The id, the kind and the error of each receipt.
fn told(reported: Reported) -> Vec<(String, ReceiptKind, Option<String>)> {
    reported.receipts.into_iter().map(|receipt| (receipt.provider_id.clone(), receipt.kind, receipt.error())).collect()
}

fn one(id: &str, kind: ReceiptKind, error: Option<&str>) -> Vec<(String, ReceiptKind, Option<String>)> {
    vec![(id.to_owned(), kind, error.map(str::to_owned))]
}

fn of_twilio(fields: &str) -> Reported {
    let twilio = Twilio::new(&secret("12345"), "https://invited.example.com".parse().unwrap());
    let pairs: std::collections::BTreeMap<_, _> = fields.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let signed: String = pairs.iter().flat_map(|(name, value)| [*name, *value]).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"12345");
    let mac = hmac::sign(&key, format!("https://invited.example.com/here{signed}").as_bytes());
    twilio.read(&posted("/here", &[("x-twilio-signature", &STANDARD.encode(mac))], fields)).unwrap()
}

#[test]
fn of_a_text_message_its_end_counts() {
    use ReceiptKind as R;
    let cases = [
        ("delivered", "", R::Delivered, None),
        ("undelivered", "30003", R::SoftBounce, Some("soft_bounce:30003")),
        ("undelivered", "30005", R::HardBounce, Some("hard_bounce:30005")),
        ("undelivered", "30007", R::Rejected, Some("rejected:30007")),
        ("undelivered", "99999", R::SoftBounce, Some("soft_bounce:99999")),
        ("failed", "21610", R::Suppressed, Some("suppressed:21610")),
        ("failed", "", R::Rejected, Some("rejected")),
    ];
    for (status, code, kind, error) in cases {
        let fields = format!("ErrorCode={code}&MessageSid=SM1&MessageStatus={status}&To=15005550006");
        assert_eq!(told(of_twilio(&fields)), one("SM1", kind, error), "{status} {code}");
    }
    for status in ["queued", "sending", "sent", "read", "receiving", "later"] {
        assert_eq!(told(of_twilio(&format!("MessageSid=SM1&MessageStatus={status}"))), [], "{status}");
    }
    assert_eq!(told(of_twilio("MessageStatus=delivered")), [], "no id");
    assert_eq!(told(of_twilio("SmsSid=SM2&SmsStatus=delivered")), one("SM2", R::Delivered, None));
}

fn of_sendgrid(body: &str) -> Result<Reported, Refused> {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let signature = key.sign(&SystemRandom::new(), format!("1795514400{body}").as_bytes()).unwrap();
    let headers = [
        ("x-twilio-email-event-webhook-timestamp", "1795514400"),
        ("x-twilio-email-event-webhook-signature", &STANDARD.encode(signature)),
    ];
    let sendgrid = SendGrid::new(&STANDARD.encode(key.public_key())).unwrap();
    sendgrid.read(&posted("/", &headers, body), NOW)
}

#[test]
fn of_a_batch_each_event_is_read_for_itself() {
    let batch = json!([
        {"event": "processed", "sg_message_id": "a.filter1", "email": "a@example.com"},
        {"event": "delivered", "sg_message_id": "b.recvd-5f7", "response": "250 OK", "email": "a@example.com"},
        {"event": "bounce", "type": "bounce", "status": "5.1.1", "reason": "550 a@example.com", "sg_message_id": "c.x"},
        {"event": "bounce", "type": "blocked", "status": "5.7.1", "sg_message_id": "d"},
        {"event": "dropped", "reason": "Bounced Address", "sg_message_id": "e.x"},
        {"event": "dropped", "reason": "Spam Content", "sg_message_id": "f.x"},
        {"event": "spamreport", "sg_message_id": "g.x"},
        {"event": "deferred", "sg_message_id": "h.x"},
        {"event": "delivered"}, {"event": 7, "sg_message_id": "i"}, {"sg_message_id": "j"}, "nonsense", null,
    ]);
    let found = told(of_sendgrid(&batch.to_string()).unwrap());
    let found: Vec<_> = found.iter().map(|(id, kind, error)| (id.as_str(), *kind, error.as_deref())).collect();
    assert_eq!(
        found,
        [
            ("b", ReceiptKind::Delivered, None),
            ("c", ReceiptKind::HardBounce, Some("hard_bounce:5.1.1")),
            ("d", ReceiptKind::SoftBounce, Some("soft_bounce:5.7.1")),
            ("e", ReceiptKind::Suppressed, Some("suppressed")),
            ("f", ReceiptKind::Rejected, Some("rejected")),
            ("g", ReceiptKind::Complained, Some("complained")),
        ]
    );
    assert_eq!(of_sendgrid("[{"), Err(Refused::Malformed), "signed, and no JSON");
    assert_eq!(of_sendgrid("[]"), Ok(Reported::default()));
}

#[test]
fn resend_tells_why() {
    use ReceiptKind as R;
    let resend = Resend::new(&secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap());
    let read = |event: Value| {
        let body = event.to_string();
        let mac = hmac::sign(&key, format!("msg_1.1795514400.{body}").as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(mac));
        let headers = [("svix-id", "msg_1"), ("svix-timestamp", "1795514400"), ("svix-signature", &signature)];
        told(resend.read(&posted("/", &headers, &body), NOW).unwrap())
    };
    let bounced = |kind, subtype| {
        read(json!({"type": "email.bounced", "data": {"email_id": "r-1", "to": ["a@example.com"],
                    "bounce": {"type": kind, "subType": subtype, "message": "a@example.com is not known"}}}))
    };
    assert_eq!(bounced("Permanent", "General"), one("r-1", R::HardBounce, Some("hard_bounce:General")));
    assert_eq!(bounced("Permanent", "Suppressed"), one("r-1", R::Suppressed, Some("suppressed:Suppressed")));
    assert_eq!(bounced("Transient", "MailboxFull"), one("r-1", R::SoftBounce, Some("soft_bounce:MailboxFull")));
    let plain = |kind: &str| read(json!({"type": kind, "data": {"email_id": "r-1"}}));
    assert_eq!(plain("email.delivered"), one("r-1", R::Delivered, None));
    assert_eq!(plain("email.complained"), one("r-1", R::Complained, Some("complained")));
    assert_eq!(plain("email.suppressed"), one("r-1", R::Suppressed, Some("suppressed")));
    let failed =
        json!({"type": "email.failed", "data": {"email_id": "r-1", "failed": {"reason": "reached_daily_quota"}}});
    assert_eq!(read(failed), one("r-1", R::Rejected, Some("rejected:reached_daily_quota")));
    for other in ["email.sent", "email.delivery_delayed", "email.opened", "contact.created", "email.new"] {
        assert_eq!(plain(other), [], "{other}");
    }
}

#[test]
fn mailgun_names_messages_as_its_api_does() {
    use ReceiptKind as R;
    let read = |event: &str, severity: &str, reason: &str, status: Value| {
        let event = json!({"event": event, "severity": severity, "reason": reason, "recipient": "a@example.com",
                           "delivery-status": status, "message": {"headers": {"message-id": "20260101.1@mg.example.com"}}});
        told(mailgun(MAILGUN_SIGNATURE, &event.to_string(), NOW).unwrap())
    };
    let id = "<20260101.1@mg.example.com>";
    let code = json!({"code": 550, "message": "a@example.com: no such user", "enhanced-code": ""});
    assert_eq!(read("delivered", "", "", json!({"code": 250})), one(id, R::Delivered, None));
    assert_eq!(read("failed", "permanent", "bounce", code), one(id, R::HardBounce, Some("hard_bounce:550")));
    let suppressed = read("failed", "permanent", "suppress-bounce", json!({"code": 605}));
    assert_eq!(suppressed, one(id, R::Suppressed, Some("suppressed:605")));
    assert_eq!(read("failed", "permanent", "old", json!({})), one(id, R::SoftBounce, Some("soft_bounce")));
    let blocked = read("failed", "permanent", "espblock", json!({"enhanced-code": "5.7.1"}));
    assert_eq!(blocked, one(id, R::Rejected, Some("rejected:5.7.1")));
    assert_eq!(read("complained", "", "", json!({})), one(id, R::Complained, Some("complained")));
    assert_eq!(read("rejected", "", "", json!({})), one(id, R::Rejected, Some("rejected")));
    assert_eq!(read("failed", "temporary", "generic", json!({"code": 451})), []);
    assert_eq!(read("opened", "", "", json!({})), []);
}

#[test]
fn postmark_has_many_kinds_of_bounces() {
    use ReceiptKind as R;
    let postmark = Postmark::new("postmark", &secret("password"));
    let authorization = format!("Basic {}", STANDARD.encode("postmark:password"));
    let read = |record: &str, kind: &str| {
        let event = json!({"RecordType": record, "Type": kind, "MessageID": "pm-1", "Email": "a@example.com"});
        told(postmark.read(&posted("/", &[("authorization", &authorization)], &event.to_string())).unwrap())
    };
    assert_eq!(read("Delivery", ""), one("pm-1", R::Delivered, None));
    assert_eq!(read("SpamComplaint", "SpamComplaint"), one("pm-1", R::Complained, Some("complained")));
    for (kind, receipt) in [
        ("HardBounce", R::HardBounce),
        ("BadEmailAddress", R::HardBounce),
        ("SoftBounce", R::SoftBounce),
        ("ManuallyDeactivated", R::Suppressed),
        ("SpamNotification", R::Rejected),
        ("SpamComplaint", R::Complained),
    ] {
        let error = format!("{}:{kind}", receipt.as_str());
        assert_eq!(read("Bounce", kind), one("pm-1", receipt, Some(&error)), "{kind}");
    }
    for kind in ["Transient", "AutoResponder", "Unsubscribe", "ChallengeVerification", "SomethingNew"] {
        assert_eq!(read("Bounce", kind), [], "{kind}");
    }
    for record in ["Open", "Click", "SubscriptionChange", "Inbound"] {
        assert_eq!(read(record, ""), [], "{record}");
    }
}

#[test]
fn of_ses_what_it_goes_on_trying_is_no_bounce() {
    use ReceiptKind as R;
    let read = |event: Value| told(Reported::all(ses::receipt(&event)));
    let of = |kind: &str| read(json!({"eventType": kind, "mail": {"messageId": "ses-1"}}));
    let bounced = |kind: &str, subtype: &str| {
        read(json!({"notificationType": "Bounce", "mail": {"messageId": "ses-1"},
                    "bounce": {"bounceType": kind, "bounceSubType": subtype}}))
    };
    assert_eq!(of("Delivery"), one("ses-1", R::Delivered, None));
    assert_eq!(of("Reject"), one("ses-1", R::Rejected, Some("rejected")));
    assert_eq!(of("Rendering Failure"), one("ses-1", R::Rejected, Some("rejected")));
    assert_eq!(of("Complaint"), one("ses-1", R::Complained, Some("complained")));
    assert_eq!(bounced("Permanent", "NoEmail"), one("ses-1", R::HardBounce, Some("hard_bounce:NoEmail")));
    let listed = bounced("Permanent", "OnAccountSuppressionList");
    assert_eq!(listed, one("ses-1", R::Suppressed, Some("suppressed:OnAccountSuppressionList")));
    // These come when SES has given up, and for answering machines, after the delivery.
    assert_eq!(bounced("Transient", "MailboxFull"), one("ses-1", R::SoftBounce, Some("soft_bounce:MailboxFull")));
    assert_eq!(bounced("Undetermined", "Undetermined"), one("ses-1", R::SoftBounce, Some("soft_bounce:Undetermined")));
    for other in ["DeliveryDelay", "Send", "Open", "Click", "Subscription", "New"] {
        assert_eq!(of(other), [], "{other}");
    }
}
