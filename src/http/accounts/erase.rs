//! `DELETE /v1/accounts/{realm}/{username}`

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, web};

use super::named;
use crate::http::State;
use crate::http::auth::{AccountsWrite, Authorized};
use crate::http::problem::Problem;

/// Erase a person's data
///
/// All that this service keeps of the account in this tenant: invitations in any state (a live one is ended), messages, budgets and
/// locks. The audit trail stays; it names the account by an id that leads nowhere afterwards. The directory's user is left alone: a lock
/// that this service holds stays there and becomes the directory's own, unless `unlock` is true. Repeating the call is no error. Needs
/// the scope `accounts:write`.
#[utoipa::path(
    tag = "accounts",
    params(
        ("realm" = String, Path, description = "User store"),
        ("username" = String, Path, description = "User name"),
        ("unlock" = Option<bool>, Query, description = "Lift any lock of this service first, an administrator's as well"),
    ),
    security(("accessToken" = ["accounts:write"])),
    responses(
        (status = 204, description = "Nothing is kept of the account, or never was."),
        (status = 400, description = "The path or the query can't be used.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 409, description = "`accept_in_progress`: a password is being set right now.", body = Problem),
        (status = 503, description = "The lock is to be lifted and the directory has not confirmed; nothing is erased yet, repeat the call.", body = Problem),
    )
)]
#[delete("/v1/accounts/{realm}/{username}")]
pub(in crate::http) async fn erase_account(
    state: web::Data<State>,
    authorized: Authorized<AccountsWrite>,
    path: web::Path<(String, String)>,
    query: web::Query<BTreeMap<String, String>>,
) -> Result<HttpResponse, Problem> {
    let (realm, username) = named(&path)?;
    let unlock = unlock(&query)?;
    state.service.erase_account(&authorized.caller, &realm, &username, unlock).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn unlock(query: &BTreeMap<String, String>) -> Result<bool, Problem> {
    let bad = |name: &str, code, detail| Problem::field(StatusCode::BAD_REQUEST, name, code, detail);
    if query.keys().any(|name| name != "unlock") {
        return Err(bad("", "unknown_parameter", "there is a parameter that is not known here"));
    }
    match query.get("unlock").map(String::as_str) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(bad("unlock", "invalid_value", "must be true or false")),
    }
}
