//! The demo of the sandbox: pages that walk through the whole job, and the switches for faults and time.
//!
//! The invited person's pages call the service from the browser, as a real front end does (another origin, so the allow-list
//! counts). What needs a credential (issuing, the login with a code) goes through this server, as through a platform's back end.

mod platform;

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::{Data, Json, Path, ServiceConfig, get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use self::platform::{IssueForm, Platform, SignInForm};
use super::faults::{FaultChange, Faults};
use super::server::{Running, Socket, asset, page};
use crate::clock::{Clock as _, OffsetClock};
use crate::domain::secret::Secret;

/// Furthest that one call moves the clock.
const MINUTES_MAX: u64 = 525_600;

/// What the demo is started with.
pub(super) struct DemoOptions {
    pub(super) port: u16,
    pub(super) api_url: String,
    pub(super) inbox_url: String,
    pub(super) directory_url: String,
    pub(super) directory_token: Secret,
    pub(super) tokens_url: String,
    pub(super) faults: Arc<Faults>,
    pub(super) clock: Arc<OffsetClock>,
}

struct Demo {
    options: DemoOptions,
    platform: Platform,
    policy: String,
}

/// Starts the demo in the background of the current runtime.
pub(super) fn start(options: DemoOptions) -> anyhow::Result<Running> {
    let socket = Socket::bind(options.port)?;
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' {}; img-src data:; form-action 'none'; \
         base-uri 'none'; frame-ancestors 'none'",
        options.api_url
    );
    let platform = Platform::new(&options)?;
    let demo = Data::new(Demo { options, platform, policy });
    socket.serve(move |config: &mut ServiceConfig| routes(config, demo.clone()))
}

fn routes(config: &mut ServiceConfig, demo: Data<Demo>) {
    config
        .app_data(demo)
        .route("/", get().to(|demo: Data<Demo>| async move { demo.page(include_str!("pages/home.html")) }))
        .route(
            "/set-password",
            get().to(|demo: Data<Demo>| async move { demo.page(include_str!("pages/set-password.html")) }),
        )
        .route(
            "/enter-code",
            get().to(|demo: Data<Demo>| async move { demo.page(include_str!("pages/enter-code.html")) }),
        )
        .route("/sign-in", get().to(|demo: Data<Demo>| async move { demo.page(include_str!("pages/sign-in.html")) }))
        .route("/assets/{name}", get().to(assets))
        .route("/control", get().to(control))
        .route("/control/faults", post().to(change_faults))
        .route("/control/clock", post().to(move_clock))
        .route("/demo/people", get().to(people))
        .route("/demo/invitations", post().to(issue))
        .route("/demo/invitations/{id}", get().to(invitation))
        .route("/demo/sign-in", post().to(sign_in));
}

async fn assets(name: Path<String>) -> HttpResponse {
    match name.as_str() {
        "style.css" => asset(&name, include_str!("pages/style.css")),
        "common.js" => asset(&name, include_str!("pages/common.js")),
        "home.js" => asset(&name, include_str!("pages/home.js")),
        "set-password.js" => asset(&name, include_str!("pages/set-password.js")),
        "enter-code.js" => asset(&name, include_str!("pages/enter-code.js")),
        "sign-in.js" => asset(&name, include_str!("pages/sign-in.js")),
        _ => HttpResponse::NotFound().finish(),
    }
}

async fn control(demo: Data<Demo>) -> Json<Value> {
    Json(demo.switches())
}

async fn change_faults(demo: Data<Demo>, change: Json<FaultChange>) -> Json<Value> {
    demo.options.faults.change(change.into_inner());
    Json(demo.switches())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClockMove {
    advance_minutes: u64,
}

async fn move_clock(demo: Data<Demo>, wanted: Json<ClockMove>) -> HttpResponse {
    if wanted.advance_minutes > MINUTES_MAX {
        return HttpResponse::BadRequest().json(json!({"title": "At most a year at a time"}));
    }
    demo.options.clock.advance(Duration::from_secs(wanted.advance_minutes * 60));
    HttpResponse::Ok().json(demo.switches())
}

async fn people(demo: Data<Demo>) -> HttpResponse {
    demo.platform.people().await
}

async fn issue(demo: Data<Demo>, form: Json<IssueForm>) -> HttpResponse {
    demo.platform.issue(&form).await
}

async fn invitation(demo: Data<Demo>, id: Path<String>) -> HttpResponse {
    demo.platform.invitation(&id).await
}

async fn sign_in(demo: Data<Demo>, form: Json<SignInForm>) -> HttpResponse {
    demo.platform.sign_in(&form).await
}

impl Demo {
    fn page(&self, html: &str) -> HttpResponse {
        let html = html.replace("{{api}}", &self.options.api_url).replace("{{inbox}}", &self.options.inbox_url);
        page(html, &self.policy)
    }

    fn switches(&self) -> Value {
        let clock = &self.options.clock;
        let ahead = clock.offset_ms() / 60_000;
        json!({"faults": self.options.faults.state(), "clock": {"now": clock.now().to_rfc3339(), "minutesAhead": ahead}})
    }
}

#[cfg(test)]
mod tests;
