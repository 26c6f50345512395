//! What the servers of the sandbox share: a loopback socket, headers for every answer, and the check of a shared token.
//!
//! Knows nothing of what is served.

use std::net::{Ipv4Addr, TcpListener};

use actix_web::dev::ServerHandle;
use actix_web::http::header;
use actix_web::middleware::DefaultHeaders;
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use crate::domain::secret::Secret;

/// A server in the background; it stops when this is dropped.
pub struct Running {
    /// `http://127.0.0.1:<port>`, without a slash at the end.
    pub base_url: String,
    handle: ServerHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        // The command is sent by the call; nobody waits for the answer.
        drop(self.handle.stop(false));
    }
}

/// A loopback socket whose address is known before anything is served on it.
pub(super) struct Socket {
    pub(super) base_url: String,
    listener: TcpListener,
}

impl Socket {
    /// Takes `port` of 127.0.0.1, or any free one for 0.
    pub(super) fn bind(port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("port {port} of 127.0.0.1 can't be used; choose others with --port"))?;
        Ok(Self { base_url: format!("http://{}", listener.local_addr()?), listener })
    }

    /// Serves the routes in the background of the current runtime.
    pub(super) fn serve(self, routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static) -> anyhow::Result<Running> {
        let server = HttpServer::new(move || App::new().wrap(headers()).configure(routes.clone()))
            .workers(1)
            .disable_signals()
            .shutdown_timeout(1)
            .listen(self.listener)?
            .run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Running { base_url: self.base_url, handle })
    }
}

fn headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((header::REFERRER_POLICY, "no-referrer"))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::CACHE_CONTROL, "no-store"))
}

/// A page under a content security policy.
pub(super) fn page(html: String, policy: &str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .body(html)
}

/// A style sheet or script; `name` decides which.
pub(super) fn asset(name: &str, text: &'static str) -> HttpResponse {
    let is_style = std::path::Path::new(name).extension().is_some_and(|extension| extension == "css");
    let content_type = if is_style { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" };
    HttpResponse::Ok().content_type(content_type).body(text)
}

/// Whether the request carries `expected` as its bearer token.
pub(super) fn has_bearer(request: &HttpRequest, expected: &Secret) -> bool {
    request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
        .is_some_and(|given| given.ct_eq(expected.expose().as_bytes()).into())
}

/// A token for one run of the sandbox.
pub(super) fn random_token() -> Secret {
    Secret::new(URL_SAFE_NO_PAD.encode(crate::entropy::bytes::<24>()))
}
