//! The numbers of the process on a listener of their own: they are for those who run the service, not for those who call it.

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{App, HttpResponse, HttpServer, get, web};

use super::State;
use crate::metrics::{MEDIA_TYPE, Sight};

/// Starts the listener; it runs when awaited.
///
/// # Errors
/// That the socket can't be used.
pub fn serve(listener: TcpListener, state: Arc<State>) -> std::io::Result<Server> {
    let state = web::Data::from(state);
    let server = HttpServer::new(move || App::new().app_data(web::Data::clone(&state)).service(show));
    Ok(server.workers(1).disable_signals().listen(listener)?.run())
}

#[get("/metrics")]
async fn show(state: web::Data<State>) -> HttpResponse {
    let gateways = state.circuits.iter().map(|(channel, circuit)| (*channel, circuit.opened().is_some()));
    let backlog = state.service.backlog().await.inspect_err(|error| tracing::warn!(?error, "the backlog is not known"));
    let sight = Sight { gateways: gateways.collect(), backlog: backlog.ok() };
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, MEDIA_TYPE))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(state.metrics.render(&sight))
}
