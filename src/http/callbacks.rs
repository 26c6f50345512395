//! `POST /v1/callbacks/{channel}/{provider}`: what gateways report of messages.
//!
//! No token guards it: the vendor's own signature is the credential. Nor are calls counted as those of the public routes are: a vendor sends all
//! its reports from a few addresses, and a wrong signature costs one MAC and no look into the database.

use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, HttpResponse, post, web};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};

use super::State;
use super::extract::all_of;
use super::problem::Problem;
use super::request::{called, named_tenant_of, request_id_of};
use crate::domain::invitation::Channel;
use crate::service::error::CallbackRefusal;
use crate::service::receipts::{Place, Posted};
use crate::service::{Refusal, ServiceError};

/// Largest batch that is read; those of `SendGrid` are the largest, at up to 768 KiB.
const BODY_MAX: usize = 1024 * 1024;

/// How the vendors prove that it is them, as far as that is in the headers.
pub(super) fn credentials() -> impl Iterator<Item = (&'static str, SecurityScheme)> {
    let header =
        |name, description| SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, description)));
    let mut basic = Http::new(HttpAuthScheme::Basic);
    basic.description = Some("Postmark: name and password as they are in the URL that it was given".to_owned());
    [
        ("twilioSignature", header("X-Twilio-Signature", "Twilio: HMAC-SHA1 over the URL and the sorted fields")),
        (
            "sendgridSignature",
            header("X-Twilio-Email-Event-Webhook-Signature", "SendGrid: ECDSA over `…-Timestamp` and the body"),
        ),
        (
            "svixSignature",
            header("Svix-Signature", "Resend: HMAC-SHA256 over `Svix-Id`, `Svix-Timestamp` and the body"),
        ),
        ("postmarkBasic", SecurityScheme::Http(basic)),
    ]
    .into_iter()
}

/// Report on messages
///
/// For the gateways that messages go out by, as `docs/receipts.md` says. Where the path names no tenant, messages of all tenants are meant.
/// The signature is checked first, as that vendor makes it; those of Mailgun and of Amazon SNS (`ses`) are in the body. Reports that come
/// twice or late, on messages that are not known here or of a kind that is not known change nothing, and are answered with 200.
#[utoipa::path(
    tag = "callbacks",
    params(
        ("channel" = String, Path, description = "`email` or `sms`"),
        ("provider" = String, Path, description = "`sendgrid`, `resend`, `mailgun`, `ses` or `postmark` for e-mail, `twilio` for text messages"),
    ),
    request_body(
        description = "What the vendor sends: JSON, or a form from Twilio. Only a message's id, what became of it and a code are read.",
        content(
            (serde_json::Value = "application/json", examples(
                ("sendgrid" = (value = json!([{"event": "delivered", "sg_message_id": "sg-1.recvd-5f7"}]))),
                ("resend" = (value = json!({"type": "email.bounced", "data": {"email_id": "re-1", "bounce": {"type": "Permanent", "subType": "General"}}}))),
                ("mailgun" = (value = json!({
                    "signature": {"timestamp": "1795514400", "token": "a8ce0edb2dd8301d", "signature": "6d1c…"},
                    "event-data": {"event": "failed", "severity": "permanent", "reason": "bounce", "delivery-status": {"code": 550},
                                   "message": {"headers": {"message-id": "mg-1@mg.example.com"}}}
                }))),
                ("ses" = (value = json!({
                    "Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:ses-events",
                    "Message": "{\"eventType\": \"Delivery\", \"mail\": {\"messageId\": \"ses-1\"}}", "Timestamp": "2026-11-24T10:00:00.000Z",
                    "SignatureVersion": "2", "Signature": "gZ3o…",
                    "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem"
                }))),
                ("postmark" = (value = json!({"RecordType": "Bounce", "Type": "HardBounce", "MessageID": "pm-1"}))),
            )),
            (String = "application/x-www-form-urlencoded", examples(
                ("twilio" = (value = json!("MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30005"))),
            )),
        )
    ),
    security(("twilioSignature" = []), ("sendgridSignature" = []), ("svixSignature" = []), ("postmarkBasic" = []), ()),
    responses(
        (status = 200, description = "Taken, or nothing new."),
        (status = 400, description = "`malformed_body`: genuine, but not what this vendor sends.", body = Problem),
        (status = 401, description = "`signature_invalid`: missing, wrong, or of another time than the last five minutes.", body = Problem),
        (status = 404, description = "`callback_not_found`: this vendor is not set up here for this channel.", body = Problem),
        (status = 413, description = "`payload_too_large`: more than 1 MiB.", body = Problem),
        (status = 503, description = "Send it again later.", body = Problem),
    )
)]
#[post("/v1/callbacks/{channel}/{provider}")]
pub(super) async fn receive_receipts(
    request: HttpRequest,
    state: web::Data<State>,
    path: web::Path<(String, String)>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (channel, provider) = path.into_inner();
    let channel =
        Channel::parse(&channel).ok_or(ServiceError::Refused(Refusal::Callback(CallbackRefusal::NotFound)))?;
    let place = Place { tenant: named_tenant_of(&request), channel, provider, request_id: request_id_of(&request) };
    let body = all_of(payload, BODY_MAX).await?.to_vec();
    let posted = Posted { target: called(&request), headers: headers(request.headers()), body };
    state.service.receive_receipts(place, &posted).await?;
    // Nothing in it: Mailgun wants 200, and Twilio takes a body for instructions.
    Ok(HttpResponse::Ok().finish())
}

/// The headers that are text; actix has their names in lower case.
fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text =
        headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    text.collect()
}
