//! Which routes there are, and what is said to those that are not there.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::dev::ResourceDef;
use actix_web::guard::Get;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, LOCATION};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use utoipa::openapi::{OpenApi, PathItem};
use utoipa_actix_web::service_config::ServiceConfig;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::problem::Problem;
use super::{
    accounts, audit_events, bulk, callbacks, deliveries, directory_events, health, invitations, otp_logins,
    redemptions, settings, templates, webhooks, wso2,
};

/// The routes of the document.
pub(super) fn api(config: &mut ServiceConfig<'_>) {
    config
        .service(invitations::issue::issue_invitation)
        .service(invitations::list::list_invitations)
        .service(invitations::get::get_invitation)
        .service(invitations::timeline::get_timeline)
        .service(invitations::resend::resend_invitation)
        .service(invitations::revoke::revoke_invitation)
        .service(bulk::create::create_bulk_invitation)
        .service(bulk::list::list_bulk_invitations)
        .service(bulk::get::get_bulk_invitation)
        .service(bulk::results::list_bulk_invitation_results)
        .service(bulk::cancel::cancel_bulk_invitation)
        .service(redemptions::redeem::redeem)
        .service(redemptions::set_password::set_password)
        .service(redemptions::decline::decline_invitation)
        .service(redemptions::request_new::request_new_link)
        .service(directory_events::report_directory_event)
        .service(otp_logins::check_otp_login)
        .service(accounts::get_account)
        .service(accounts::lock_account)
        .service(accounts::unlock_account)
        .service(settings::get_settings)
        .service(settings::change_settings)
        .service(settings::reset_settings)
        .service(templates::list_templates)
        .service(templates::get_template)
        .service(templates::put_template)
        .service(templates::delete_template)
        .service(templates::preview_template)
        .service(accounts::diagnosis::diagnose_account)
        .service(accounts::erase::erase_account)
        .service(deliveries::list_deliveries)
        .service(deliveries::get_delivery)
        .service(deliveries::retry_delivery)
        .service(audit_events::list_audit_events)
        .service(webhooks::create_webhook)
        .service(webhooks::list_webhooks)
        .service(webhooks::get_webhook)
        .service(webhooks::update_webhook)
        .service(webhooks::delete_webhook)
        .service(webhooks::secret::rotate_webhook_secret)
        .service(webhooks::test::test_webhook)
        .service(callbacks::receive_receipts)
        .service(health::live)
        .service(health::ready)
        .configure(wso2::routes);
}

/// The document itself, and its pages.
pub(super) fn documents(config: &mut web::ServiceConfig, document: &Arc<String>) {
    let json = Arc::clone(document);
    let pages = Config::new(["/openapi.json"]).try_it_out_enabled(true).validator_url("none");
    let document = web::resource("/openapi.json").guard(Get()).to(move || {
        let json = Arc::clone(&json);
        async move { HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body((*json).clone()) }
    });
    let to_pages = web::resource("/docs")
        .guard(Get())
        .to(|| async { HttpResponse::PermanentRedirect().insert_header((LOCATION, "/docs/")).finish() });
    config.service(document).service(to_pages).service(SwaggerUi::new("/docs/{_:.*}").config(pages));
}

/// The paths of the document, and its own, with their methods, to tell "not here" from "not like that".
pub(super) struct Known(Vec<(ResourceDef, Vec<&'static str>)>);

impl Known {
    pub(super) fn of(api: &OpenApi) -> Self {
        let known = api.paths.paths.iter().map(|(path, item)| (ResourceDef::new(path.as_str()), methods(item)));
        let own = ["/openapi.json", "/docs"].map(|path| (ResourceDef::new(path), vec!["GET"]));
        Self(known.chain(own).collect())
    }

    /// What can be done at a path, which can be what several of them mean; empty when nothing can.
    fn methods_at(&self, path: &str) -> String {
        let found = self.0.iter().filter(|(known, _)| known.is_match(path)).flat_map(|(_, methods)| methods);
        found.copied().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
    }
}

fn methods(item: &PathItem) -> Vec<&'static str> {
    let known = [
        ("GET", item.get.is_some()),
        ("PUT", item.put.is_some()),
        ("POST", item.post.is_some()),
        ("PATCH", item.patch.is_some()),
        ("DELETE", item.delete.is_some()),
    ];
    known.iter().filter_map(|(name, there)| there.then_some(*name)).collect()
}

/// Answers what no route took: 405 with the methods that are there, else 404.
pub(super) async fn unrouted(request: HttpRequest, known: web::Data<Known>) -> HttpResponse {
    let methods = known.methods_at(request.path());
    if methods.is_empty() {
        return Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here.").error_response();
    }
    let mut response =
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This is not done with that method.")
            .error_response();
    if let Ok(methods) = methods.parse() {
        response.headers_mut().insert(ALLOW, methods);
    }
    response
}
