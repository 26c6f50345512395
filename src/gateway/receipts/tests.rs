//! The signatures of all vendors, with the vectors that they or their libraries publish; where there are none, made with another implementation
//! (Python's hmac, OpenSSL).

mod events;
mod sns;

use super::*;
use crate::domain::receipt::ReceiptKind;
use crate::domain::secret::Secret;

/// 2026-11-24T10:00:00Z
const NOW: Timestamp = Timestamp::from_millis(1_795_514_400_000);

fn posted(target: &str, headers: &[(&str, &str)], body: &str) -> Posted {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Posted { target: target.to_owned(), headers: headers.collect(), body: body.as_bytes().to_vec() }
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

const TWILIO_FORM: &str =
    "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";

fn twilio(public_url: &str, target: &str, signature: &str, form: &str) -> Result<Reported, Refused> {
    let twilio = Twilio::new(&secret("12345"), public_url.parse().unwrap());
    twilio.read(&posted(target, &[("x-twilio-signature", signature)], form))
}

#[test]
fn twilio_signs_url_and_sorted_fields() {
    let target = "/myapp.php?foo=1&bar=2";
    let (plain, with_port) = ("RSOYDt4T1cUTdK1PDd93/VVr8B8=", "kvajT1Ptam85bY51eRf/AJRuM3w=");
    let genuine = |base, target, signature, form| twilio(base, target, signature, form) == Ok(Reported::default());
    assert!(genuine("https://mycompany.com", target, plain, TWILIO_FORM));
    assert!(genuine("https://mycompany.com/", target, plain, TWILIO_FORM), "a slash at the end");
    assert!(genuine("https://mycompany.com:443", target, plain, TWILIO_FORM), "signed without the port");
    let reordered = "To=%2B18005551212&From=%2B14158675309&Digits=1234&Caller=%2B14158675309&CallSid=CA1234567890ABCDE";
    assert!(genuine("https://mycompany.com", target, plain, reordered));
    assert!(genuine("https://mycompany.com", target, with_port, TWILIO_FORM), "signed with the port");

    for (base, target, signature, form) in [
        ("http://mycompany.com", target, plain, TWILIO_FORM),
        ("https://mycompany.com", "/myapp.php?foo=1", plain, TWILIO_FORM),
        ("https://mycompany.com", target, plain, "CallSid=CA1234567890ABCDE"),
        ("https://mycompany.com", target, "RSOYDt4T1cUTdK1PDd93/VVr8B9=", TWILIO_FORM),
        ("https://mycompany.com", target, "nonsense", TWILIO_FORM),
        ("https://mycompany.com", target, "", TWILIO_FORM),
    ] {
        assert_eq!(twilio(base, target, signature, form), Err(Refused::Signature), "{base}{target} {signature}");
    }
}

const SENDGRID_KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEDr2LjtURuePQzplybdC+u4CwrqDqBaWjcMMsTbhdbcwHBcepxo7yAQGhHPTnlvFYPAZFceEu/1FwCM/QmGUhA==";
const SENDGRID_SIGNATURE: &str =
    "MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH2j/0=";
const SENDGRID_BODY: &str = r#"{"category":"example_payload","event":"test_event","message_id":"message_id"}"#;

fn sendgrid(time: &str, signature: &str, body: &str, now: Timestamp) -> Result<Reported, Refused> {
    let headers =
        [("x-twilio-email-event-webhook-timestamp", time), ("x-twilio-email-event-webhook-signature", signature)];
    SendGrid::new(SENDGRID_KEY).unwrap().read(&posted("/", &headers, body), now)
}

#[test]
fn sendgrid_signs_time_and_body() {
    let (time, now) = ("1588788367", at(1_588_788_367));
    assert_eq!(sendgrid(time, SENDGRID_SIGNATURE, SENDGRID_BODY, now), Ok(Reported::default()));
    let refused = Err(Refused::Signature);
    assert_eq!(sendgrid("1588788368", SENDGRID_SIGNATURE, SENDGRID_BODY, now), refused);
    assert_eq!(sendgrid(time, SENDGRID_SIGNATURE, &SENDGRID_BODY.replace("test", "rest"), now), refused);
    assert_eq!(sendgrid(time, &SENDGRID_SIGNATURE.replace("MEUC", "MEUD"), SENDGRID_BODY, now), refused);
    assert_eq!(sendgrid(time, "", SENDGRID_BODY, now), refused);
    assert_eq!(SendGrid::new(SENDGRID_KEY).unwrap().read(&posted("/", &[], SENDGRID_BODY), now), refused);
}

#[test]
fn a_call_counts_for_five_minutes_before_and_after_its_time() {
    let arrives = |seconds: i64| sendgrid("1588788367", SENDGRID_SIGNATURE, SENDGRID_BODY, at(seconds)).is_ok();
    assert!(arrives(1_588_788_367 + 300) && arrives(1_588_788_367 - 300));
    assert!(!arrives(1_588_788_367 + 301) && !arrives(1_588_788_367 - 301));
}

#[test]
fn a_key_that_is_no_key_is_noticed_at_the_start() {
    for key in ["", "nonsense", "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEDr2LjtURuePQzplybdC", &SENDGRID_KEY[4..]] {
        assert!(SendGrid::new(key).is_none(), "{key}");
    }
    for key in ["", "whsec_", "whsec_!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
        assert!(Resend::new(&secret(key)).is_none(), "{key}");
    }
}

const SVIX_SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const SVIX_BODY: &str = r#"{"test": 2432232314}"#;

fn resend(prefix: &str, signature: &str, body: &str, now: Timestamp) -> Result<Reported, Refused> {
    let resend = Resend::new(&secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
    let [id, time, signatures] = ["id", "timestamp", "signature"].map(|name| format!("{prefix}-{name}"));
    let headers = [
        (id.as_str(), "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        (time.as_str(), "1614265330"),
        (signatures.as_str(), signature),
    ];
    resend.read(&posted("/", &headers, body), now)
}

#[test]
fn resend_signs_as_standard_webhooks_says() {
    let now = at(1_614_265_330);
    let genuine = |prefix: &str, signature: &str| resend(prefix, signature, SVIX_BODY, now) == Ok(Reported::default());
    assert!(genuine("svix", SVIX_SIGNATURE));
    assert!(genuine("webhook", SVIX_SIGNATURE), "the standard's own names");
    assert!(genuine("svix", &format!("v1a,b3RoZXI= v1,b3RoZXI= {SVIX_SIGNATURE}")), "one of several");

    assert!(!genuine("other", SVIX_SIGNATURE));
    assert!(!genuine("svix", "v1,b3RoZXI="));
    assert!(!genuine("svix", SVIX_SIGNATURE.trim_start_matches("v1,")));
    assert!(!genuine("svix", ""));
    assert_eq!(resend("svix", SVIX_SIGNATURE, "{}", now), Err(Refused::Signature));
    assert_eq!(resend("svix", SVIX_SIGNATURE, SVIX_BODY, at(1_614_265_631)), Err(Refused::Signature));
}

const MAILGUN_TOKEN: &str = "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0";

fn mailgun(signature: &str, event: &str, now: Timestamp) -> Result<Reported, Refused> {
    let body = format!(
        r#"{{"signature": {{"timestamp": "1795514400", "token": "{MAILGUN_TOKEN}", "signature": "{signature}"}}, "event-data": {event}}}"#
    );
    Mailgun::new(&secret("signing-key")).read(&posted("/", &[], &body), now)
}

const MAILGUN_SIGNATURE: &str = "c37c49e4f5f0da18dcc1e22aedddc3d53ad822600bac8223f179f7573f9c3a1c";

#[test]
fn mailgun_signs_time_and_token_which_counts_once() {
    let once = |receipts| Ok(Reported { receipts, once: Some(MAILGUN_TOKEN.to_owned()) });
    assert_eq!(mailgun(MAILGUN_SIGNATURE, r#"{"event": "opened"}"#, NOW), once(Vec::new()));
    assert_eq!(mailgun(&MAILGUN_SIGNATURE.to_uppercase(), r#"{"event": "opened"}"#, NOW), once(Vec::new()));
    for wrong in [&MAILGUN_SIGNATURE[2..], &MAILGUN_SIGNATURE[1..], "zz", ""] {
        assert_eq!(mailgun(wrong, "{}", NOW), Err(Refused::Signature), "{wrong}");
    }
    assert_eq!(mailgun(MAILGUN_SIGNATURE, "{}", NOW.after(WINDOW * 2)), Err(Refused::Signature));
    let unsigned = Mailgun::new(&secret("signing-key")).read(&posted("/", &[], r#"{"event-data": {}}"#), NOW);
    assert_eq!(unsigned, Err(Refused::Signature));
}

fn postmark(authorization: Option<&str>) -> Result<Reported, Refused> {
    let headers: Vec<_> = authorization.into_iter().map(|value| ("authorization", value)).collect();
    Postmark::new("postmark", &secret("pass:word")).read(&posted("/", &headers, "{}"))
}

#[test]
fn postmark_brings_a_name_and_a_password() {
    let basic = |credential: &str| format!("Basic {}", STANDARD.encode(credential));
    assert_eq!(postmark(Some(&basic("postmark:pass:word"))), Ok(Reported::default()));
    assert_eq!(postmark(Some(&basic("postmark:pass:word").replace("Basic", "basic"))), Ok(Reported::default()));
    for wrong in ["postmark:pass:wore", "postmark:", "", "other:pass:word", "postmark:pass:word "] {
        assert_eq!(postmark(Some(&basic(wrong))), Err(Refused::Signature), "{wrong}");
    }
    assert_eq!(postmark(Some("Bearer token")), Err(Refused::Signature));
    assert_eq!(postmark(None), Err(Refused::Signature));
}

#[tokio::test]
async fn a_vendor_that_is_not_set_up_is_not_known() {
    let mailgun = Some(Mailgun::new(&secret("signing-key")));
    let vendors = Vendors { mailgun, ..Vendors::default() };
    for (channel, provider) in
        [(Channel::Email, "sendgrid"), (Channel::Sms, "mailgun"), (Channel::Sms, "twilio"), (Channel::Email, "other")]
    {
        let refused = vendors.read(channel, provider, &posted("/", &[], "{}"), NOW).await;
        assert_eq!(refused, Err(Refused::Unknown), "{provider}");
    }
    let unsigned = vendors.read(Channel::Email, "mailgun", &posted("/", &[], "{}"), NOW).await;
    assert_eq!(unsigned, Err(Refused::Signature));
}
