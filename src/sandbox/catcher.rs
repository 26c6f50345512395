//! The mail and SMS gateway of the sandbox: takes what the webhook drivers hand over and shows it in an inbox.
//!
//! Keeps the gateway's side of the contract (token, one message per `Idempotency-Key`), delivers nothing, and knows nothing
//! of invitations.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::http::header;
use actix_web::web::{Data, Json, Path, Query, ServiceConfig, get, post};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::faults::{Faults, GatewayFault, SLOW};
use super::server::{Running, Socket, asset, has_bearer, page};
use crate::clock::Clock;
use crate::domain::secret::Secret;

/// Older messages are forgotten.
const KEPT: usize = 20_000;

const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; \
                           img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";
/// For the HTML of a message: no scripts, no requests; links open in a new tab.
const MESSAGE_POLICY: &str = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; \
                              style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'";

/// What a catcher is started with.
pub struct CatcherOptions {
    /// 0 for any.
    pub port: u16,
    pub token: Secret,
    pub faults: Arc<Faults>,
    pub clock: Arc<dyn Clock>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Channel {
    Email,
    Sms,
}

/// A message as the driver sends it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Handover {
    message_id: String,
    tenant: Option<String>,
    kind: Option<String>,
    to: String,
    to_name: Option<String>,
    from: Option<String>,
    reply_to: Option<String>,
    subject: Option<String>,
    text: String,
    html: Option<String>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    id: String,
    channel: Channel,
    received_at: String,
    /// How often it was handed over; more than once when an answer was lost.
    handovers: u32,
    #[serde(skip)]
    idempotency_key: String,
    #[serde(flatten)]
    content: Handover,
}

struct Catcher {
    options: CatcherOptions,
    /// Newest first.
    messages: Mutex<VecDeque<Message>>,
}

/// Starts a catcher in the background of the current runtime.
///
/// # Errors
/// When the port can't be had.
pub fn start(options: CatcherOptions) -> anyhow::Result<Running> {
    let socket = Socket::bind(options.port)?;
    let catcher = Data::new(Catcher { options, messages: Mutex::default() });
    socket.serve(move |config: &mut ServiceConfig| {
        config
            .app_data(catcher.clone())
            .route("/email", post().to(take_email))
            .route("/sms", post().to(take_sms))
            .route("/messages", get().to(list))
            .route("/messages/{id}/html", get().to(html_of))
            .route("/", get().to(inbox))
            .route("/assets/{name}", get().to(assets));
    })
}

async fn take_email(catcher: Data<Catcher>, request: HttpRequest, body: Json<Handover>) -> HttpResponse {
    let fault = catcher.options.faults.state().email;
    catcher.take(Channel::Email, fault, &request, body.into_inner()).await
}

async fn take_sms(catcher: Data<Catcher>, request: HttpRequest, body: Json<Handover>) -> HttpResponse {
    let fault = catcher.options.faults.state().sms;
    catcher.take(Channel::Sms, fault, &request, body.into_inner()).await
}

#[derive(Deserialize)]
struct Wanted {
    to: Option<String>,
    limit: Option<usize>,
}

async fn list(catcher: Data<Catcher>, wanted: Query<Wanted>) -> HttpResponse {
    let messages = catcher.messages.lock().unwrap_or_else(PoisonError::into_inner);
    let found: Vec<&Message> = messages
        .iter()
        .filter(|message| wanted.to.as_ref().is_none_or(|to| message.content.to == *to))
        .take(wanted.limit.unwrap_or(KEPT))
        .collect();
    HttpResponse::Ok().json(found)
}

async fn html_of(catcher: Data<Catcher>, id: Path<String>) -> HttpResponse {
    let messages = catcher.messages.lock().unwrap_or_else(PoisonError::into_inner);
    let html = messages.iter().find(|message| message.id == *id).and_then(|message| message.content.html.as_deref());
    html.map_or_else(
        || HttpResponse::NotFound().finish(),
        |html| page(format!("<!doctype html><base target=\"_blank\">{html}"), MESSAGE_POLICY),
    )
}

async fn inbox() -> HttpResponse {
    page(include_str!("pages/inbox.html").to_owned(), PAGE_POLICY)
}

async fn assets(name: Path<String>) -> HttpResponse {
    match name.as_str() {
        "style.css" => asset(&name, include_str!("pages/style.css")),
        "inbox.js" => asset(&name, include_str!("pages/inbox.js")),
        _ => HttpResponse::NotFound().finish(),
    }
}

impl Catcher {
    async fn take(
        &self,
        channel: Channel,
        fault: GatewayFault,
        request: &HttpRequest,
        content: Handover,
    ) -> HttpResponse {
        if !has_bearer(request, &self.options.token) {
            return HttpResponse::Unauthorized().json(json!({"code": "unauthorized"}));
        }
        match fault {
            GatewayFault::Ok | GatewayFault::Slow => {}
            GatewayFault::Down => return HttpResponse::ServiceUnavailable().json(json!({"code": "down"})),
            GatewayFault::Reject => {
                return HttpResponse::UnprocessableEntity().json(json!({"code": "recipient_refused"}));
            }
            GatewayFault::Throttle => {
                let mut answer = HttpResponse::TooManyRequests();
                return answer.insert_header((header::RETRY_AFTER, "2")).json(json!({"code": "throttled"}));
            }
        }
        let key = request.headers().get("Idempotency-Key").and_then(|value| value.to_str().ok());
        let key = key.unwrap_or(&content.message_id).to_owned();
        let id = self.keep(channel, key, content);
        if fault == GatewayFault::Slow {
            tokio::time::sleep(SLOW).await;
        }
        HttpResponse::Accepted().json(json!({"id": id}))
    }

    /// Keeps a message, or finds it again by its key; gives its id.
    fn keep(&self, channel: Channel, idempotency_key: String, content: Handover) -> String {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = messages.iter_mut().find(|message| message.idempotency_key == idempotency_key) {
            known.handovers += 1;
            return known.id.clone();
        }
        let id = crate::entropy::message_id(self.options.clock.now()).to_string();
        let received_at = self.options.clock.now().to_rfc3339();
        messages.push_front(Message { id: id.clone(), channel, received_at, handovers: 1, idempotency_key, content });
        messages.truncate(KEPT);
        id
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use serde_json::Value;

    use super::super::faults::FaultChange;
    use super::super::test_client;
    use super::*;
    use crate::clock::SystemClock;

    fn started(faults: &Arc<Faults>) -> Running {
        let (token, faults) = (Secret::new("t0ken".into()), Arc::clone(faults));
        start(CatcherOptions { port: 0, token, faults, clock: Arc::new(SystemClock) }).unwrap()
    }

    async fn post(catcher: &Running, path: &str, token: &str, id: &str) -> (StatusCode, Value) {
        let body =
            json!({"messageId": id, "to": "alex@example.com", "text": "Hello", "html": "<p>Hello</p>", "new": 1});
        let request = test_client().post(format!("{}{path}", catcher.base_url)).bearer_auth(token);
        let reply = request.header("Idempotency-Key", id).json(&body).send().await.unwrap();
        (reply.status(), reply.json().await.unwrap())
    }

    async fn messages(catcher: &Running, query: &str) -> Vec<Value> {
        let url = format!("{}/messages{query}", catcher.base_url);
        test_client().get(url).send().await.unwrap().json().await.unwrap()
    }

    #[actix_web::test]
    async fn a_message_handed_over_twice_is_kept_once() {
        let catcher = started(&Arc::default());
        let (status, first) = post(&catcher, "/email", "t0ken", "m1").await;
        let (_, again) = post(&catcher, "/email", "t0ken", "m1").await;
        post(&catcher, "/sms", "t0ken", "m2").await;
        assert_eq!((status, &first), (StatusCode::ACCEPTED, &again));

        let kept = messages(&catcher, "?to=alex@example.com").await;
        let seen: Vec<_> = kept.iter().map(|message| (&message["channel"], &message["handovers"])).collect();
        assert_eq!(seen, [(&json!("sms"), &json!(1)), (&json!("email"), &json!(2))]);
        assert!(messages(&catcher, "?to=sam@example.com").await.is_empty());
        assert_eq!(messages(&catcher, "?limit=1").await.len(), 1);
    }

    #[actix_web::test]
    async fn a_wrong_token_is_refused() {
        let catcher = started(&Arc::default());
        assert_eq!(post(&catcher, "/email", "other", "m1").await.0, StatusCode::UNAUTHORIZED);
        assert!(messages(&catcher, "").await.is_empty());
    }

    #[actix_web::test]
    async fn each_fault_shows_as_its_status() {
        let faults = Arc::default();
        let catcher = started(&faults);
        for (fault, expected) in [
            (GatewayFault::Down, StatusCode::SERVICE_UNAVAILABLE),
            (GatewayFault::Reject, StatusCode::UNPROCESSABLE_ENTITY),
            (GatewayFault::Throttle, StatusCode::TOO_MANY_REQUESTS),
        ] {
            faults.change(FaultChange { email: Some(fault), ..FaultChange::default() });
            assert_eq!(post(&catcher, "/email", "t0ken", "m1").await.0, expected);
            assert_eq!(post(&catcher, "/sms", "t0ken", "m2").await.0, StatusCode::ACCEPTED);
        }
        assert_eq!(messages(&catcher, "").await.len(), 1);
    }

    #[actix_web::test]
    async fn the_html_of_a_message_is_shown_without_scripts() {
        let catcher = started(&Arc::default());
        let (_, kept) = post(&catcher, "/email", "t0ken", "m1").await;
        let url = format!("{}/messages/{}/html", catcher.base_url, kept["id"].as_str().unwrap());
        let reply = test_client().get(url).send().await.unwrap();
        let policy = reply.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("sandbox ") && !policy.contains("allow-scripts"));
        assert!(reply.text().await.unwrap().ends_with("<p>Hello</p>"));
    }
}
