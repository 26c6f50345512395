//! The OpenAPI document: made from the handlers, checked in under `openapi/`, served at `/openapi.json`.

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    ContactBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, RefOr, ServerBuilder, ServerVariableBuilder,
    tag::TagBuilder,
};
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{callbacks, idempotency, routes, wso2};

const DESCRIPTION: &str = "Takes a person who was just added to a user directory from invited to signed in: issues invitations by \
e-mail link, e-mail OTP or SMS OTP, validates them, and sets the password in the directory.\n\n\
Every route exists bare, for the tenant `default`, and under `/t/{tenant}`. Errors are `application/problem+json` (RFC 9457) with a \
stable `code`, but for the routes of WSO2 Identity Server (tag `wso2`), which have its form. Times are RFC 3339 in UTC.";

/// The groups of operations, in the order of a reader's need.
const TAGS: [(&str, &str); 14] = [
    ("invitations", "Issue, read, resend, revoke"),
    ("redemptions", "What the invited person's page calls"),
    ("login", "A code typed as the password"),
    ("bulk invitations", "Many at once"),
    ("directory events", "What the platform reports of its users"),
    ("accounts", "Locks, states and budgets, and why somebody can't get in"),
    ("settings", "How invitations behave for a tenant"),
    ("templates", "A tenant's own messages"),
    ("deliveries", "What became of messages"),
    ("callbacks", "What gateways report of messages"),
    ("webhooks", "Events to the platform"),
    ("audit", "Who did what"),
    ("wso2", "The routes of WSO2 Identity Server, at its paths and in its words"),
    ("system", "Whether the process runs and can work"),
];

/// The document without its paths.
pub(super) fn frame() -> OpenApi {
    let mut document = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("invited")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(DESCRIPTION))
                .contact(Some(ContactBuilder::new().name(Some("invited maintainers")).build()))
                .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
                .build(),
        )
        .tags(Some(TAGS.map(|(name, words)| TagBuilder::new().name(name).description(Some(words)).build())))
        .servers(Some([
            ServerBuilder::new().url("/").description(Some("The tenant `default`")).build(),
            ServerBuilder::new()
                .url("/t/{tenant}")
                .description(Some("Any tenant"))
                .parameter(
                    "tenant",
                    ServerVariableBuilder::new().default_value("default").description(Some("The tenant")),
                )
                .build(),
        ]))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(
        "accessToken",
        bearer("JWT of the configured issuer with the scope that the operation names"),
    );
    components.add_security_scheme("grant", bearer("The grant that a redemption answered with"));
    for (name, scheme) in callbacks::credentials() {
        components.add_security_scheme(name, scheme);
    }
    document
}

fn bearer(description: &str) -> SecurityScheme {
    let mut scheme = Http::new(HttpAuthScheme::Bearer);
    scheme.bearer_format = Some("JWT".to_owned());
    scheme.description = Some(description.to_owned());
    SecurityScheme::Http(scheme)
}

/// The whole document.
#[must_use]
pub fn document() -> OpenApi {
    let (_, mut api) = actix_web::App::new()
        .into_utoipa_app()
        .openapi(frame())
        .configure(|config: &mut ServiceConfig<'_>| routes::api(config))
        .split_for_parts();
    for (path, item) in &mut api.paths.paths {
        for operation in operations(item) {
            idempotency::document(operation);
            if !wso2::is_compatible(path) {
                name_problems(operation);
            }
        }
    }
    api
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten()
}

/// Gives refusals the media type that they are sent with.
fn name_problems(operation: &mut Operation) {
    let responses = operation.responses.responses.iter_mut();
    for (_, response) in responses.filter(|(status, _)| !status.starts_with('2')) {
        if let RefOr::T(response) = response {
            let content = std::mem::take(&mut response.content).into_values();
            response.content = content.map(|body| ("application/problem+json".to_owned(), body)).collect();
        }
    }
}

/// The whole document as JSON, as it is checked in.
#[must_use]
pub fn json() -> String {
    let mut text = document().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
