//! What is sent by each gateway whose vendor describes its API, and what becomes of the refusals and failures described there.

use invited::gateway::{EmailDriver, Mailpit, Outcome, Resend, SendGrid, SmsDriver, Twilio, TwilioSender, Vonage};
use serde_json::json;
use url::Url;

use crate::messages::{secret, send_as_tenant, send_email, send_sms, sender};
use crate::prism::Prism;

fn url(prism: &Prism) -> Url {
    Url::parse(prism.url()).unwrap()
}

#[tokio::test]
async fn every_call_to_sendgrid_is_as_described() {
    let Some(prism) = Prism::serve("sendgrid_mail_v3.json", &["--errors"]).await else { return };
    let sendgrid = || EmailDriver::SendGrid(SendGrid { url: url(&prism), token: secret("SG.key"), from: sender() });
    assert_eq!(send_email(sendgrid()).await, Outcome::Accepted { provider_id: None });
    assert_eq!(send_as_tenant(sendgrid()).await, Outcome::Accepted { provider_id: None });
    let unauthorized = Outcome::Misconfigured { code: "gateway_unauthorized".to_owned() };
    for (status, expected) in [
        (400, Outcome::Rejected { code: "http_400".to_owned() }),
        (401, unauthorized.clone()),
        (403, unauthorized),
        (413, Outcome::Rejected { code: "http_413".to_owned() }),
        (500, Outcome::Unknown { code: "http_500".to_owned(), after: None }),
    ] {
        prism.prefer_next(status);
        assert_eq!(send_email(sendgrid()).await, expected);
    }
    prism.assert_as_described(&["POST /v3/mail/send"; 7]);
}

#[tokio::test]
async fn every_call_to_resend_is_as_described() {
    let Some(prism) = Prism::serve("resend.json", &["--errors"]).await else { return };
    let resend = || EmailDriver::Resend(Resend { url: url(&prism), token: secret("re_key"), from: sender() });
    assert!(matches!(send_email(resend()).await, Outcome::Accepted { provider_id: Some(_) }));
    assert!(matches!(send_as_tenant(resend()).await, Outcome::Accepted { provider_id: Some(_) }));
    prism.answer_next("POST", 429, json!({"name": "rate_limit_exceeded"}));
    assert_eq!(send_email(resend()).await, Outcome::Throttled { after: None });
    prism.answer_next("POST", 500, json!({"name": "application_error"}));
    let failed = Outcome::Unknown { code: "resend_application_error".to_owned(), after: None };
    assert_eq!(send_email(resend()).await, failed);
    prism.assert_as_described(&["POST /emails"; 4]);
}

#[tokio::test]
async fn every_call_to_mailpit_is_as_described() {
    let Some(prism) = Prism::serve("mailpit_swagger.json", &["--errors"]).await else { return };
    let mailpit = || EmailDriver::Mailpit(Mailpit { url: url(&prism), credential: None, from: sender() });
    assert!(matches!(send_email(mailpit()).await, Outcome::Accepted { provider_id: Some(_) }));
    assert!(matches!(send_as_tenant(mailpit()).await, Outcome::Accepted { provider_id: Some(_) }));
    prism.prefer_next(400);
    assert_eq!(send_email(mailpit()).await, Outcome::Rejected { code: "http_400".to_owned() });
    prism.assert_as_described(&["POST /api/v1/send"; 3]);
}

#[tokio::test]
async fn every_call_to_twilio_is_as_described() {
    let Some(prism) = Prism::serve("twilio_api_v2010.json", &["--errors"]).await else { return };
    let account_sid = format!("AC{}", "a".repeat(32));
    let service = TwilioSender::Service(format!("MG{}", "a".repeat(32)));
    let twilio = |from| {
        let (account_sid, token) = (account_sid.clone(), secret("token"));
        let status_callback = Url::parse("https://invited.example.com/v1/callbacks/sms/twilio").ok();
        SmsDriver::Twilio(Twilio { url: url(&prism), account_sid, api_key: None, token, from, status_callback })
    };
    let number = || TwilioSender::Own("+15005550006".to_owned());
    for from in [number(), service] {
        assert!(matches!(send_sms(twilio(from), "+94771234567").await, Outcome::Accepted { provider_id: Some(_) }));
    }
    for (status, code, expected) in [
        (400, 21211, Outcome::Rejected { code: "twilio_21211".to_owned() }),
        (429, 20429, Outcome::Throttled { after: None }),
        (500, 20500, Outcome::Unknown { code: "twilio_20500".to_owned(), after: None }),
    ] {
        prism.answer_next("POST", status, json!({"code": code, "status": status}));
        assert_eq!(send_sms(twilio(number()), "+94771234567").await, expected);
    }
    let route = format!("POST /2010-04-01/Accounts/{account_sid}/Messages.json");
    prism.assert_as_described(&[route.as_str(); 5]);
}

#[tokio::test]
async fn every_call_to_vonage_is_as_described() {
    // Its own examples are not as described, which `--errors` would not let pass.
    let Some(prism) = Prism::serve("vonage_sms_2021.yml", &[]).await else { return };
    let vonage = || {
        let (api_key, api_secret) = ("abcd1234".to_owned(), secret("s3cret-s3cret"));
        SmsDriver::Vonage(Vonage { url: url(&prism), api_key, api_secret, from: "Example".to_owned() })
    };
    for (status, expected) in [
        ("0", Outcome::Accepted { provider_id: Some("vo-1".to_owned()) }),
        ("1", Outcome::Throttled { after: None }),
        ("4", Outcome::Misconfigured { code: "vonage_4".to_owned() }),
        ("7", Outcome::Rejected { code: "vonage_7".to_owned() }),
    ] {
        prism.answer_next("POST", 200, json!({"messages": [{"status": status, "message-id": "vo-1"}]}));
        assert_eq!(send_sms(vonage(), "+94771234567").await, expected);
    }
    prism.assert_as_described(&["POST /json"; 4]);
}
