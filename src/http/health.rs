//! Whether the process runs, and whether it can do its work.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::State;
use super::problem::Problem;

/// The state of the process.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"status": "ok"}))]
pub(super) struct Health {
    /// `ok`
    status: &'static str,
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
        (status = 200, description = "It can work.", body = Health),
        (status = 503, description = "The database can't be reached or has not been migrated.", body = Problem),
    )
)]
#[get("/health/ready")]
pub(super) async fn ready(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    if state.service.is_ready().await? {
        return Ok(HttpResponse::Ok().json(Health { status: "ok" }));
    }
    Err(Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not_migrated",
        "The database has not been migrated: run `invited migrate`.",
    ))
}
