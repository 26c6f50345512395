//! `POST /v1/redemptions/request-new`: a new link for one that has expired.

use actix_web::{HttpRequest, HttpResponse, post, web};

use super::LinkRequest;
use crate::http::State;
use crate::http::auth::person;
use crate::http::extract::Body;
use crate::http::problem::Problem;

/// Ask for a new link
///
/// For the bearer of a link that has expired: where the tenant allows it, a new one is sent to the registered address. The answer is
/// the same at once, whatever the token is, and says nothing of whether anything is sent.
#[utoipa::path(
    tag = "redemptions",
    request_body = LinkRequest,
    responses(
        (status = 202, description = "Taken note of."),
        (status = 400, description = "The body can't be used.", body = Problem),
        (status = 429, description = "`rate_limited`: too many calls from this address.", body = Problem),
    )
)]
#[post("/v1/redemptions/request-new")]
pub(crate) async fn request_new_link(
    request: HttpRequest,
    state: web::Data<State>,
    body: Body<LinkRequest>,
) -> Result<HttpResponse, Problem> {
    state.service.request_new(&person(&request), body.0.token());
    Ok(HttpResponse::Accepted().finish())
}
