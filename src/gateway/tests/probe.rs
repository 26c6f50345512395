//! What a vendor is asked to find out whether it knows us.

use super::email::{mailgun, mailpit, postmark, resend, sendgrid};
use super::sms::{ses, sns, twilio, vonage};
use super::*;
use crate::outbound::{Authorities, Proxy, ProxyFault};

/// A driver, what is asked, the answer's status and body, and what that means.
type Case<D> = (Driver<D>, &'static str, u16, &'static str, Result<(), ProbeError>);

async fn probe_email(driver: EmailDriver) -> Result<(), ProbeError> {
    EmailGateway::new(&Egress::default(), driver, Duration::from_secs(5), Arc::new(SystemClock)).unwrap().probe().await
}

async fn probe_sms(driver: SmsDriver) -> Result<(), ProbeError> {
    SmsGateway::new(&Egress::default(), driver, Duration::from_secs(5), Arc::new(SystemClock)).unwrap().probe().await
}

fn refused(code: &str) -> Result<(), ProbeError> {
    Err(ProbeError::Refused(code.to_owned()))
}

#[tokio::test]
async fn a_vendor_of_email_is_asked_without_a_recipient() {
    let cases: [Case<EmailDriver>; 11] = [
        (sendgrid, "GET /v3/scopes", 200, r#"{"scopes": ["mail.send"]}"#, Ok(())),
        (sendgrid, "GET /v3/scopes", 401, "", refused("gateway_unauthorized")),
        (sendgrid, "GET /v3/scopes", 503, "", Err(ProbeError::Unclear("http_503".to_owned()))),
        (ses, "POST /v2/email/outbound-emails", 400, r#"{"__type": "BadRequestException"}"#, Ok(())),
        (ses, "POST /v2/email/outbound-emails", 403, r#"{"__type": "AccessDenied"}"#, refused("ses_AccessDenied")),
        (resend, "POST /emails", 422, r#"{"name": "missing_required_field"}"#, Ok(())),
        (resend, "POST /emails", 401, r#"{"name": "invalid_api_key"}"#, refused("resend_invalid_api_key")),
        (postmark, "GET /server", 200, r#"{"ID": 1}"#, Ok(())),
        (mailgun, "POST /v3/mg.example.com/messages", 400, r#"{"message": "to parameter is missing"}"#, Ok(())),
        (mailgun, "POST /v3/mg.example.com/messages", 404, "", refused("http_404")),
        (mailpit, "GET /api/v1/info", 200, "{}", Ok(())),
    ];
    for (driver, asked, status, body, expected) in cases {
        let (server, url) = vendor(answer(status, body)).await;
        assert_eq!(probe_email(driver(url)).await, expected, "{asked} {status}");
        let request = request(&server).await;
        assert_eq!(format!("{} {}", request.method, request.url.path()), asked);
        assert!(!String::from_utf8_lossy(&request.body).contains("example.com"), "{asked}");
    }
}

#[tokio::test]
async fn a_vendor_of_text_messages_is_asked_without_a_recipient() {
    let cases: [Case<SmsDriver>; 6] = [
        (twilio, "GET /2010-04-01/Accounts/AC1.json", 200, r#"{"sid": "AC1"}"#, Ok(())),
        (twilio, "GET /2010-04-01/Accounts/AC1.json", 401, r#"{"code": 20003}"#, refused("twilio_20003")),
        (vonage, "POST /json", 200, r#"{"messages": [{"status": "2"}]}"#, Ok(())),
        (vonage, "POST /json", 200, r#"{"messages": [{"status": "4"}]}"#, refused("vonage_4")),
        (sns, "POST /", 200, "<GetSMSAttributesResponse/>", Ok(())),
        (sns, "POST /", 403, "<Error><Code>InvalidClientTokenId</Code></Error>", refused("sns_InvalidClientTokenId")),
    ];
    for (driver, asked, status, body, expected) in cases {
        let (server, url) = vendor(answer(status, body)).await;
        assert_eq!(probe_sms(driver(url)).await, expected, "{asked} {status}");
        let request = request(&server).await;
        assert_eq!(format!("{} {}", request.method, request.url.path()), asked);
    }
    let nowhere = Url::parse("http://127.0.0.1:1").unwrap();
    let unreachable = ProbeError::Unreachable("gateway_unreachable".to_owned());
    assert_eq!(probe_sms(twilio(nowhere)).await, Err(unreachable));
}

#[tokio::test]
async fn a_proxy_that_is_in_the_way_is_told_from_the_vendor() {
    let (_server, url) = vendor(answer(407, "")).await;
    assert_eq!(probe_email(sendgrid(url)).await, Err(ProbeError::Proxy(ProxyFault::Unauthorized)));
    let proxy = Proxy { url: Url::parse("http://127.0.0.1:1").unwrap(), credential: None, direct: Vec::new() };
    let egress = Egress::new(Some(proxy), Authorities::default());
    let driver = sendgrid(Url::parse("https://mail.gateway.invalid").unwrap());
    let gateway = EmailGateway::new(&egress, driver, Duration::from_secs(5), Arc::new(SystemClock)).unwrap();
    let error = gateway.probe().await.unwrap_err();
    assert_eq!(error, ProbeError::Proxy(ProxyFault::Unreachable));
    assert!(
        error.to_string().starts_with("the proxy can't be reached")
            && error.to_string().ends_with("(proxy_unreachable)")
    );
}
