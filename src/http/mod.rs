//! The only code that knows HTTP: routes translate requests into use cases and their outcomes into answers.
//!
//! Order of the layers, from outside: request ids, tenant and problems; CORS and rate limit of the public routes; the routes.

mod accounts;
mod audit_events;
mod auth;
mod bulk;
mod callbacks;
mod cors;
mod deliveries;
mod directory_events;
mod extract;
mod health;
mod idempotency;
mod invitations;
mod jwks;
mod limit;
mod metrics;
pub mod openapi;
mod otp_logins;
mod page;
pub mod problem;
mod redemptions;
mod request;
mod routes;
mod settings;
mod templates;
mod webhooks;
mod wso2;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use utoipa_actix_web::AppExt;

pub use auth::{Authenticator, Keys, Rules};
pub use bulk::wire;
pub use jwks::Jwks;
pub use limit::Limiter;
pub use metrics::serve as serve_metrics;

use crate::domain::invitation::Channel;
use crate::domain::wso2::Wso2Version;
use crate::metrics::Metrics;
use crate::outbound::circuit::Circuit;
use crate::service::Service;

/// What handlers share.
pub struct State {
    pub service: Arc<Service>,
    pub authenticator: Authenticator,
    /// What callers of the compatible routes take this service for.
    pub wso2_version: Wso2Version,
    /// One of each gateway that there is.
    pub circuits: Vec<(Channel, Arc<Circuit>)>,
    pub metrics: Arc<Metrics>,
}

/// How to listen.
pub struct Listening {
    pub listener: TcpListener,
    pub workers: Option<usize>,
    /// How long requests under way may take to finish at the end.
    pub shutdown_timeout: Duration,
}

/// Starts the server; it runs when awaited.
///
/// # Errors
/// That the socket can't be used.
pub fn serve(listening: Listening, state: Arc<State>, limiter: Limiter) -> std::io::Result<Server> {
    let (state, limiter) = (web::Data::from(state), web::Data::new(limiter));
    let document = Arc::new(openapi::json());
    let server = HttpServer::new(move || {
        let document = Arc::clone(&document);
        let (app, api) = App::new()
            .app_data(web::Data::clone(&state))
            .app_data(web::Data::clone(&limiter))
            .app_data(web::PayloadConfig::new(extract::BODY_MAX))
            .into_utoipa_app()
            .openapi(openapi::frame())
            .configure(routes::api)
            .split_for_parts();
        let unrouted = web::Data::new(routes::Known::of(&api));
        app.configure(move |config| routes::documents(config, &document))
            .app_data(unrouted)
            .default_service(web::to(routes::unrouted))
            .wrap(from_fn(limit::layer))
            .wrap(from_fn(cors::layer))
            .wrap(from_fn(request::layer))
    });
    let server = match listening.workers {
        Some(workers) => server.workers(workers),
        None => server,
    };
    Ok(server
        .client_request_timeout(Duration::from_secs(5))
        .client_disconnect_timeout(Duration::from_secs(2))
        .shutdown_timeout(listening.shutdown_timeout.as_secs())
        .worker_max_blocking_threads(64)
        .disable_signals()
        .listen(listening.listener)?
        .run())
}

/// Binds the address now, so that a port in use is told at the start.
///
/// # Errors
/// That the address can't be bound.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
