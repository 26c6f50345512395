//! What an IAM platform's back end does around the service, over HTTP: issue invitations, list people, sign them in.
//!
//! Shows how little it takes: the service's answers go to the browser as they are.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use reqwest::header::ACCEPT;
use reqwest::{Client, RequestBuilder};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::DemoOptions;
use crate::domain::ids::{InvitationId, Realm};
use crate::domain::secret::Secret;
use crate::outbound::Egress;

/// Longer than a slow directory takes.
const DEADLINE: Duration = Duration::from_secs(20);

pub(super) struct Platform {
    client: Client,
    api_url: String,
    directory_url: String,
    directory_token: Secret,
    tokens_url: String,
}

/// Whom to invite, and how; what is missing comes from the settings.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct IssueForm {
    realm: String,
    username: String,
    method: Option<String>,
    purpose: Option<String>,
    expires_in_minutes: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignInForm {
    realm: String,
    username: String,
    password: Secret,
}

/// What the sign-in page is told.
#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome {
    SignedIn {
        user: Value,
    },
    Rejected,
    Inactive,
    #[serde(rename_all = "camelCase")]
    PasswordSetupRequired {
        setup_url: Value,
    },
    Unavailable,
}

impl Platform {
    pub(super) fn new(options: &DemoOptions) -> anyhow::Result<Self> {
        let client = Egress::default().client(DEADLINE)?;
        Ok(Self {
            client,
            api_url: options.api_url.clone(),
            directory_url: options.directory_url.clone(),
            directory_token: options.directory_token.clone(),
            tokens_url: options.tokens_url.clone(),
        })
    }

    /// Issues an invitation; an open one of the same person is replaced.
    pub(super) async fn issue(&self, form: &IssueForm) -> HttpResponse {
        let mut body = json!({"user": {"username": form.username, "realm": form.realm}, "ifExists": "replace"});
        let choices = [
            ("method", form.method.clone().map(Value::from)),
            ("purpose", form.purpose.clone().map(Value::from)),
            ("expiresInMinutes", form.expires_in_minutes.map(Value::from)),
        ];
        for (name, value) in choices {
            if let (Some(value), Some(fields)) = (value, body.as_object_mut()) {
                fields.insert(name.to_owned(), value);
            }
        }
        let request = self.client.post(format!("{}/v1/invitations", self.api_url)).json(&body);
        passed_on(self.as_caller(request, "invitations:write").await)
    }

    pub(super) async fn invitation(&self, id: &str) -> HttpResponse {
        let Some(id) = InvitationId::parse(id) else { return HttpResponse::NotFound().finish() };
        let request = self.client.get(format!("{}/v1/invitations/{id}", self.api_url));
        passed_on(self.as_caller(request, "invitations:read").await)
    }

    /// Everybody in both realms, and whether they are locked.
    pub(super) async fn people(&self) -> HttpResponse {
        let mut people = Vec::new();
        for realm in ["PRIMARY", "SECONDARY"] {
            let url = format!("{}/scim/{realm}/v2/Users", self.directory_url);
            let request = self.client.get(url).bearer_auth(self.directory_token.expose());
            let Ok((StatusCode::OK, list)) = answer(request).await else { return unavailable("The directory") };
            let users = list.get("Resources").and_then(Value::as_array).into_iter().flatten();
            people.extend(users.map(|user| person(realm, user)));
        }
        HttpResponse::Ok().json(people)
    }

    /// Asks the directory first; what is not the password may be a code.
    pub(super) async fn sign_in(&self, form: &SignInForm) -> HttpResponse {
        let Ok(realm) = Realm::parse(&form.realm) else { return HttpResponse::Ok().json(Outcome::Rejected) };
        let url = format!("{}/scim/{}/login", self.directory_url, realm.as_str());
        let body = json!({"userName": form.username, "password": form.password.expose()});
        let outcome = match answer(self.client.post(url).json(&body)).await {
            Ok((StatusCode::OK, user)) => Outcome::SignedIn { user },
            Ok((StatusCode::FORBIDDEN, _)) => Outcome::Inactive,
            Ok((StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND, _)) => self.sign_in_with_code(form).await,
            _ => Outcome::Unavailable,
        };
        HttpResponse::Ok().json(outcome)
    }

    async fn sign_in_with_code(&self, form: &SignInForm) -> Outcome {
        let body = json!({"username": form.username, "realm": form.realm, "otp": form.password.expose()});
        let request = self.client.post(format!("{}/v1/otp-logins", self.api_url)).json(&body);
        match self.as_caller(request, "otp:verify").await {
            Ok((StatusCode::OK, reply)) => match reply.get("setupUrl") {
                Some(setup_url) => Outcome::PasswordSetupRequired { setup_url: setup_url.clone() },
                None => Outcome::Rejected,
            },
            // A name or a code that can't be one.
            Ok((status, _)) if status.is_client_error() => Outcome::Rejected,
            _ => Outcome::Unavailable,
        }
    }

    /// Sends a request to the service with a token for just this.
    async fn as_caller(&self, request: RequestBuilder, scope: &str) -> reqwest::Result<(StatusCode, Value)> {
        let wanted = json!({"scope": scope, "sub": "sandbox-demo"});
        let mint = self.client.post(format!("{}/token", self.tokens_url)).header(ACCEPT, "text/plain").json(&wanted);
        let token = mint.send().await?.error_for_status()?.text().await?;
        answer(request.bearer_auth(token)).await
    }
}

/// One user of the directory as the home page shows them.
fn person(realm: &str, user: &Value) -> Value {
    json!({
        "realm": realm,
        "username": user.get("userName"),
        "displayName": user.get("displayName"),
        "email": user.pointer("/emails/0/value"),
        "phone": user.pointer("/phoneNumbers/0/value"),
        "active": user.get("active"),
    })
}

/// Status and JSON of the answer; `null` when it is something else.
async fn answer(request: RequestBuilder) -> reqwest::Result<(StatusCode, Value)> {
    let reply = request.send().await?;
    let status = StatusCode::from_u16(reply.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    Ok((status, serde_json::from_slice(&reply.bytes().await?).unwrap_or_default()))
}

fn passed_on(reply: reqwest::Result<(StatusCode, Value)>) -> HttpResponse {
    match reply {
        Ok((status, body)) => HttpResponse::build(status).json(body),
        Err(_) => unavailable("The service"),
    }
}

fn unavailable(who: &str) -> HttpResponse {
    HttpResponse::BadGateway().json(json!({"title": format!("{who} did not answer"), "code": "unavailable"}))
}
