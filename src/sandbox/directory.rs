//! The user directory of the sandbox: a subset of SCIM 2.0 (RFC 7644) over people kept in memory, and a login to try them.
//!
//! Two realms, each with its own base URL. What is not there (other filters, sorting, bulk, groups) is refused or said in
//! `ServiceProviderConfig`. It knows nothing of invitations; tests use it as their directory.

mod error;
mod filter;
mod patch;
mod people;
mod user;

use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Bytes, Data, Json, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use self::error::ScimError;
use self::patch::Changes;
use self::people::{IfMatch, Login, People};
use self::user::{Update, User};
use super::faults::{DirectoryFault, Faults, SLOW};
use super::server::{Running, Socket, has_bearer};
use crate::clock::Clock;
use crate::domain::secret::Secret;

const SCIM_JSON: &str = "application/scim+json";
const REALMS: [&str; 2] = ["PRIMARY", "SECONDARY"];

/// What a directory is started with.
pub struct DirectoryOptions {
    /// 0 for any.
    pub port: u16,
    pub token: Secret,
    pub faults: Arc<Faults>,
    pub clock: Arc<dyn Clock>,
}

struct Directory {
    base_url: String,
    options: DirectoryOptions,
    realms: [(&'static str, People); 2],
}

/// Starts a directory with a few sample people in the background of the current runtime. Users are at
/// `{base_url}/scim/{realm}/v2/Users`.
///
/// # Errors
/// When the port can't be had.
pub fn start(options: DirectoryOptions) -> anyhow::Result<Running> {
    let socket = Socket::bind(options.port)?;
    let realms = REALMS.map(|realm| (realm, People::samples(realm, options.clock.now())));
    let directory = Data::new(Directory { base_url: socket.base_url.clone(), options, realms });
    socket.serve(move |config: &mut ServiceConfig| routes(config, directory.clone()))
}

fn routes(config: &mut ServiceConfig, directory: Data<Directory>) {
    let users = web::scope("/v2")
        .wrap(from_fn(authorized))
        .route("/ServiceProviderConfig", web::get().to(service_provider_config))
        .route("/Users", web::get().to(list))
        .route("/Users", web::post().to(create))
        .route("/Users/{id}", web::get().to(read))
        .route("/Users/{id}", web::patch().to(patch_user))
        .route("/Users/{id}", web::delete().to(delete));
    let realm = web::scope("/scim/{realm}").wrap(from_fn(faulty)).route("/login", web::post().to(login)).service(users);
    config.app_data(directory).service(realm);
}

/// Plays the fault in force. A slow answer is late, but what it answers is done.
async fn faulty(
    directory: Data<Directory>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> actix_web::Result<ServiceResponse<impl MessageBody>> {
    let fault = directory.options.faults.state().directory;
    if fault == DirectoryFault::Down {
        return Err(ScimError::Down.into());
    }
    let answer = next.call(request).await?;
    if fault == DirectoryFault::Slow {
        tokio::time::sleep(SLOW).await;
    }
    Ok(answer)
}

async fn authorized(
    directory: Data<Directory>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> actix_web::Result<ServiceResponse<impl MessageBody>> {
    if has_bearer(request.request(), &directory.options.token) {
        next.call(request).await
    } else {
        Err(ScimError::Unauthorized.into())
    }
}

async fn service_provider_config() -> HttpResponse {
    let (yes, no) = (json!({"supported": true}), json!({"supported": false}));
    HttpResponse::Ok().content_type(SCIM_JSON).json(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": yes, "etag": yes, "changePassword": yes, "sort": no,
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": people::PAGE_MAX},
        "authenticationSchemes": [{
            "type": "oauthbearertoken", "name": "Bearer token", "description": "The token that was printed at start",
        }],
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListQuery {
    filter: Option<String>,
    start_index: Option<i64>,
    count: Option<i64>,
}

async fn list(
    directory: Data<Directory>,
    realm: Path<String>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ScimError> {
    let people = directory.people(&realm)?;
    let wanted = query.filter.as_deref().map(filter::user_name_of).transpose()?;
    let start = usize::try_from(query.start_index.unwrap_or(1)).unwrap_or(1).max(1);
    let count = query.count.map_or(people::PAGE_MAX, |count| usize::try_from(count).unwrap_or(0));
    let (total, page) = people.list(wanted.as_deref(), start, count);
    let resources: Vec<Value> = page.iter().map(|user| directory.resource(&realm, user)).collect();
    Ok(HttpResponse::Ok().content_type(SCIM_JSON).json(json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total, "startIndex": start, "itemsPerPage": resources.len(), "Resources": resources,
    })))
}

async fn create(directory: Data<Directory>, realm: Path<String>, body: Bytes) -> Result<HttpResponse, ScimError> {
    let people = directory.people(&realm)?;
    let (username, changes) = patch::parse_new(&body)?;
    let user = people.add(&username, &hashed(changes).await?, directory.options.clock.now())?;
    let mut answer = HttpResponse::Created();
    answer.insert_header((header::LOCATION, directory.location(&realm, &user)));
    Ok(directory.answer(answer, &realm, &user))
}

async fn read(directory: Data<Directory>, path: Path<(String, String)>) -> Result<HttpResponse, ScimError> {
    let (realm, id) = path.into_inner();
    let user = directory.people(&realm)?.get(&id)?;
    Ok(directory.answer(HttpResponse::Ok(), &realm, &user))
}

async fn patch_user(
    directory: Data<Directory>,
    path: Path<(String, String)>,
    request: HttpRequest,
    body: Bytes,
) -> Result<HttpResponse, ScimError> {
    let (realm, id) = path.into_inner();
    let people = directory.people(&realm)?;
    let update = hashed(patch::parse(&body)?).await?;
    let guard = IfMatch(if_match(request.headers()));
    let user = people.change(&id, &guard, &update, directory.options.clock.now())?;
    Ok(directory.answer(HttpResponse::Ok(), &realm, &user))
}

async fn delete(
    directory: Data<Directory>,
    path: Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, ScimError> {
    let (realm, id) = path.into_inner();
    directory.people(&realm)?.remove(&id, &IfMatch(if_match(request.headers())))?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LoginRequest {
    user_name: String,
    password: Secret,
}

/// Not SCIM: what a sign-in page asks.
async fn login(
    directory: Data<Directory>,
    realm: Path<String>,
    body: Json<LoginRequest>,
) -> Result<HttpResponse, ScimError> {
    let people = directory.people(&realm)?;
    let LoginRequest { user_name, password } = body.into_inner();
    let Some((id, hash)) = people.credential(&user_name) else { return Err(ScimError::WrongPassword) };
    let is_right = web::block(move || people::is_password(&password, &hash)).await.unwrap_or(false);
    match people.admit(&id, is_right) {
        Login::SignedIn(user) => Ok(HttpResponse::Ok().json(directory.resource(&realm, &user))),
        Login::Wrong => Err(ScimError::WrongPassword),
        Login::Inactive => Err(ScimError::Inactive),
    }
}

/// Hashes the new password, if there is one, away from the server's thread.
async fn hashed(changes: Changes) -> Result<Update, ScimError> {
    let password_hash = match changes.password.clone() {
        None => None,
        Some(password) => {
            let hash = web::block(move || people::hash(&password)).await.ok().flatten();
            Some(hash.ok_or(ScimError::InvalidValue("The password can't be used."))?)
        }
    };
    Ok(Update { changes, password_hash })
}

fn if_match(headers: &HeaderMap) -> Option<String> {
    headers.get(header::IF_MATCH).map(|value| value.to_str().unwrap_or_default().to_owned())
}

impl Directory {
    fn people(&self, realm: &str) -> Result<&People, ScimError> {
        let found = self.realms.iter().find(|(name, _)| name.eq_ignore_ascii_case(realm));
        found.map(|(_, people)| people).ok_or(ScimError::NotFound)
    }

    fn location(&self, realm: &str, user: &User) -> String {
        format!("{}/scim/{realm}/v2/Users/{}", self.base_url, user.id)
    }

    fn resource(&self, realm: &str, user: &User) -> Value {
        user.resource(&self.location(realm, user))
    }

    fn answer(&self, mut answer: HttpResponseBuilder, realm: &str, user: &User) -> HttpResponse {
        answer.content_type(SCIM_JSON).insert_header((header::ETAG, user.etag())).json(self.resource(realm, user))
    }
}

#[cfg(test)]
mod tests;
