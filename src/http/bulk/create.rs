//! `POST /v1/bulk-invitations`

use actix_web::http::StatusCode;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, post, web};

use super::receive::receive;
use super::split::Format;
use super::view::BulkInvitationView;
use crate::http::State;
use crate::http::auth::{Authorized, InvitationsWrite};
use crate::http::extract::unsupported_media_type;
use crate::http::idempotency::{self, Answer, IdempotencyKey, once};
use crate::http::invitations::issue::IssueInvitationRequest;
use crate::http::problem::Problem;
use crate::http::request::path_for;
use crate::service::bulk::Job;

/// Issue many invitations
///
/// A JSON array, or NDJSON with one object a line, of up to 10000 rows of up to 16 KiB, each as `POST /v1/invitations` takes it. Answers with a
/// job that issues them in the background, without delaying single ones. A row that can't be used fails alone; only a body that can't be
/// told apart into rows, has none or too many is refused. `delivery: "return"` is refused in a row, since no secret is kept to be shown. With
/// `dryRun` every row is checked as if it were issued, and nothing is. Needs the scope `invitations:write`.
#[utoipa::path(
    tag = "bulk invitations",
    params(
        ("dryRun" = Option<bool>, Query, description = "Only try out whether the rows could be issued"),
        IdempotencyKey
    ),
    request_body(
        content(
            (Vec<IssueInvitationRequest> = "application/json", example = json!([
                {"user": {"username": "alex"}, "metadata": {"ticket": "HR-1234"}}, {"user": {"username": "robin"}}
            ])),
            (String = "application/x-ndjson", example = "{\"user\":{\"username\":\"alex\"}}\n{\"user\":{\"username\":\"robin\"}}\n"),
        ),
    ),
    security(("accessToken" = ["invitations:write"])),
    responses(
        (status = 202, description = "Taken on.", body = BulkInvitationView, headers(("Location" = String, description = "The job"))),
        (status = 400, description = "The body can't be told apart into rows, or has none.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 408, description = "The body did not arrive in time.", body = Problem),
        (status = 413, description = "`bulk_too_many_rows`, or the body is too large.", body = Problem),
        (status = 415, description = "It is neither JSON nor NDJSON.", body = Problem),
    )
)]
#[post("/v1/bulk-invitations")]
pub(crate) async fn create_bulk_invitation(
    request: HttpRequest,
    state: web::Data<State>,
    authorized: Authorized<InvitationsWrite>,
    body: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (format, dry_run) = (format(&request)?, dry_run(&request)?);
    // Before all of the body is read for nothing.
    idempotency::key(&request)?;
    let (service, caller) = (&state.service, authorized.caller);
    let mut incoming = service.receive_bulk_job(&caller, dry_run);
    let id = incoming.id();
    let taken_on = async {
        let digest = receive(service, &mut incoming, body, format).await?;
        idempotency::note_digest(&request, digest);
        let received = (id, incoming.total());
        once(&request, service, caller.clone(), answer, move |service, caller, alongside| async move {
            service.enqueue_bulk_job(&caller, received, alongside).await
        })
        .await
    };
    let answered = taken_on.await;
    if !answered.as_ref().is_ok_and(|answered| !idempotency::is_repeated(answered)) {
        service.discard_bulk_job(&caller, id).await;
    }
    answered
}

fn answer(job: &Job) -> Answer {
    Answer::at(StatusCode::ACCEPTED, location(job), &BulkInvitationView::from(job))
}

fn format(request: &HttpRequest) -> Result<Format, Problem> {
    match request.content_type().to_ascii_lowercase().as_str() {
        "application/json" => Ok(Format::Array),
        "application/x-ndjson" => Ok(Format::Lines),
        _ => Err(unsupported_media_type("application/json or application/x-ndjson")),
    }
}

fn dry_run(request: &HttpRequest) -> Result<bool, Problem> {
    let mut found = None;
    for (name, value) in url::form_urlencoded::parse(request.query_string().as_bytes()) {
        let (code, detail) = match (&*name, &*value, found) {
            ("dryRun", "true" | "false", None) => {
                found = Some(value == "true");
                continue;
            }
            ("dryRun", _, Some(_)) => ("duplicate_parameter", "may be there once"),
            ("dryRun", _, None) => ("invalid_value", "must be true or false"),
            _ => ("unknown_parameter", "is not known here"),
        };
        let name = crate::outbound::safe_line(&name, 64).unwrap_or_default();
        return Err(Problem::field(StatusCode::BAD_REQUEST, name, code, detail));
    }
    Ok(found.unwrap_or(false))
}

fn location(job: &Job) -> String {
    path_for(&job.tenant, &format!("/v1/bulk-invitations/{}", job.id))
}
