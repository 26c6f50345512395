//! Whether the process runs, and whether it can do its work.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::State;
use super::problem::Problem;
use crate::outbound::circuit::Opened;

/// The state of the process.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"status": "ok"}))]
pub(super) struct Health {
    /// `ok`
    status: &'static str,
}

/// Whether the process can work, and what outside is in the way.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"status": "ok"}))]
pub(super) struct Readiness {
    /// `ok`
    status: &'static str,
    /// Gateways that failed again and again, so that this process lets them alone for now; their messages wait.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    gateways_down: Vec<GatewayDown>,
}

/// A gateway that is let alone for now.
#[derive(Serialize, ToSchema)]
pub(super) struct GatewayDown {
    /// `email` or `sms`
    channel: &'static str,
    /// RFC 3339
    since: String,
    /// Code of the last failure.
    error: String,
}

/// The process runs
#[utoipa::path(tag = "system", responses((status = 200, description = "It runs.", body = Health)))]
#[get("/health/live")]
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok" })
}

/// The process can work: database, schema and keys are there
#[utoipa::path(
    tag = "system",
    responses(
        (status = 200, description = "It can work, perhaps without some gateways.", body = Readiness),
        (status = 503, description = "The database can't be reached or has not been migrated.", body = Problem),
    )
)]
#[get("/health/ready")]
pub(super) async fn ready(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    if state.service.is_ready().await? {
        let down = state.circuits.iter().filter_map(|(channel, circuit)| {
            let Opened { since, code } = circuit.opened()?;
            Some(GatewayDown { channel: channel.as_str(), since: since.to_rfc3339(), error: code })
        });
        return Ok(HttpResponse::Ok().json(Readiness { status: "ok", gateways_down: down.collect() }));
    }
    Err(Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not_migrated",
        "The database has not been migrated: run `invited migrate`.",
    ))
}
