//! What each key means: the typed sections of [`Config`] out of the flat list of keys.
//!
//! A wrong value is noted and a placeholder takes its place, so that all problems are found in one go; a `Config` with
//! placeholders never leaves the parent module. How single values are judged is in `checks`.

use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::callbacks;
use super::checks::{self, MASTER_KEY_HINT};
use super::directory;
use super::gateways;
use super::layers::Layers;
use super::outbound;
use super::{
    AuthConfig, Config, DatabaseConfig, KeySource, LogConfig, LogFormat, MasterKey, OutboundConfig, SecretsConfig,
    ServerConfig, WebhooksConfig, WorkerConfig,
};
use crate::domain::reconcile::Reconciliation;
use crate::domain::secret::Secret;
use crate::domain::time::Retention;
use crate::domain::wso2::Wso2Version;
use crate::storage::outbox::LEASE;

pub(super) fn read(layers: &mut Layers, pgsslmode: Option<&str>) -> Config {
    let outbound = outbound::read(layers);
    let server = server(layers);
    Config {
        vendors: Box::new(callbacks::vendors(layers, &server, &outbound)),
        server,
        database: database(layers, pgsslmode),
        secrets: secrets(layers),
        auth: auth(layers, &outbound),
        email: gateways::email(layers, &outbound),
        sms: gateways::sms(layers, &outbound),
        directory: directory::read(layers, &outbound),
        outbound,
        webhooks: webhooks(layers),
        worker: worker(layers),
        bulk_concurrency: layers.number("bulk.concurrency", 1..=100),
        retention: retention(layers),
        reconciliation: reconciliation(layers),
        wso2_version: wso2_version(layers),
        log: log(layers),
        defaults: checks::settings(layers),
    }
}

fn server(layers: &mut Layers) -> ServerConfig {
    let listen = layers.text("server.listen");
    ServerConfig {
        listen: socket(layers, "server.listen", &listen),
        metrics_listen: metrics_listen(layers),
        public_url: public_url(layers),
        public_calls_per_minute: layers.number("server.public_calls_per_minute", 0..=1_000_000),
        trusted_proxies: parsed(layers, "server.trusted_proxies"),
        failure_floor: layers.millis("server.failure_floor_ms", 0..=10_000),
        shutdown_timeout: Duration::from_secs(layers.number("server.shutdown_timeout_seconds", 1..=3600)),
        workers: Some(layers.number("server.workers", 0..=1024)).filter(|workers| *workers > 0),
    }
}

fn socket(layers: &mut Layers, key: &str, text: &str) -> SocketAddr {
    text.parse().unwrap_or_else(|_| {
        layers.fail(key, "must be an address and a port such as 127.0.0.1:8080");
        SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
    })
}

fn metrics_listen(layers: &mut Layers) -> Option<SocketAddr> {
    const KEY: &str = "server.metrics_listen";
    let text = layers.optional_text(KEY)?;
    Some(socket(layers, KEY, &text))
}

fn public_url(layers: &mut Layers) -> Option<Url> {
    const KEY: &str = "server.public_url";
    let text = layers.optional_text(KEY)?;
    let url = Url::parse(&text).ok().filter(|url| {
        let has_more = url.query().is_some() || url.fragment().is_some() || !url.username().is_empty();
        matches!(url.scheme(), "https" | "http") && url.has_host() && !has_more
    });
    if url.is_none() {
        layers.fail(KEY, "must be a URL such as https://invited.example.com, without a query");
    }
    url
}

/// The entries of a list, each of which is what `T` reads.
pub(super) fn parsed<T: FromStr<Err: Display>>(layers: &mut Layers, key: &str) -> Vec<T> {
    let texts = layers.texts(key);
    let parsed = texts.iter().map(|text| text.parse());
    parsed.collect::<Result<_, _>>().unwrap_or_else(|error: T::Err| {
        layers.fail(key, error);
        Vec::new()
    })
}

fn database(layers: &mut Layers, pgsslmode: Option<&str>) -> DatabaseConfig {
    let url = layers.required_text("database.url");
    if let Err(error) = checks::database_url(&url, pgsslmode) {
        layers.fail("database.url", error);
    }
    DatabaseConfig {
        url,
        pool_size: layers.number("database.pool_size", 1..=1000),
        checkout_timeout: layers.millis("database.checkout_timeout_ms", 1..=60_000),
    }
}

fn secrets(layers: &mut Layers) -> SecretsConfig {
    const KEY: &str = "secrets.master_keys";
    let texts = layers.texts(KEY);
    if texts.is_empty() {
        layers.fail(KEY, MASTER_KEY_HINT);
    }
    let mut master_keys: Vec<MasterKey> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match checks::master_key(text) {
            Ok(new) if master_keys.iter().any(|known| known.kid == new.kid) => {
                layers.fail(KEY, format_args!("entry {} has the kid of another one", index + 1));
            }
            Ok(new) => master_keys.push(new),
            Err(error) => layers.fail(KEY, format_args!("entry {} {error}", index + 1)),
        }
    }
    SecretsConfig { master_keys }
}

fn auth(layers: &mut Layers, outbound: &OutboundConfig) -> AuthConfig {
    let keys = key_source(layers, outbound);
    let token_type = layers.text("auth.token_type").to_lowercase();
    AuthConfig {
        issuer: layers.required_text("auth.issuer"),
        audience: layers.required_text("auth.audience"),
        algorithms: algorithms(layers, &keys),
        keys,
        tenant_claim: layers.required_text("auth.tenant_claim"),
        scope_claim: layers.required_text("auth.scope_claim"),
        token_type: token_type.trim_start_matches("application/").to_owned(),
    }
}

fn key_source(layers: &mut Layers, outbound: &OutboundConfig) -> KeySource {
    let shared = Secret::new(layers.text("auth.hs256_secret"));
    let has_shared = !shared.expose().is_empty();
    match url(layers, "auth.jwks_url", outbound) {
        Some(_) if has_shared => {
            layers.fail("auth.jwks_url", "is given beside auth.hs256_secret; only one of them can be");
        }
        Some(url) => return KeySource::Jwks(url),
        None if !has_shared && !layers.is_given("auth.jwks_url") => {
            layers.fail("auth.jwks_url", "is required, or auth.hs256_secret");
        }
        None if has_shared && shared.expose().len() < 32 => {
            layers.fail("auth.hs256_secret", "must have 32 bytes or more");
        }
        None => {}
    }
    KeySource::Shared(shared)
}

fn algorithms(layers: &mut Layers, keys: &KeySource) -> Vec<Algorithm> {
    const KEY: &str = "auth.algorithms";
    let names = layers.texts(KEY);
    if matches!(keys, KeySource::Shared(_)) {
        if layers.is_given(KEY) && layers.is_given("auth.hs256_secret") && names != ["HS256"] {
            layers.fail(KEY, "can only be HS256 with auth.hs256_secret");
        }
        return vec![Algorithm::HS256];
    }
    if names.is_empty() {
        layers.fail(KEY, "must name at least one algorithm");
    }
    let known: Vec<_> = names.iter().filter_map(|name| checks::asymmetric_algorithm(name)).collect();
    if known.len() < names.len() {
        layers.fail(KEY, "can only be RS256 to RS512, PS256 to PS512, ES256, ES384 and EdDSA with auth.jwks_url");
    }
    known
}

fn webhooks(layers: &mut Layers) -> WebhooksConfig {
    WebhooksConfig {
        allowed_ranges: parsed(layers, "webhooks.allowed_ranges"),
        use_proxy: use_proxy(layers),
        concurrency: layers.number("webhooks.concurrency", 1..=1000),
        timeout: timeout(layers, "webhooks.timeout_ms"),
    }
}

fn use_proxy(layers: &mut Layers) -> bool {
    const KEY: &str = "webhooks.use_proxy";
    let use_proxy = layers.flag(KEY);
    if use_proxy && !layers.is_given("outbound.proxy") {
        layers.fail(KEY, "needs outbound.proxy");
    }
    use_proxy
}

fn worker(layers: &mut Layers) -> WorkerConfig {
    WorkerConfig {
        enabled: layers.flag("worker.enabled"),
        concurrency: layers.number("worker.concurrency", 1..=1000),
        poll_interval: layers.millis("worker.poll_interval_ms", 10..=600_000),
    }
}

fn retention(layers: &mut Layers) -> Retention {
    let mut unless_zero = |key| Some(layers.days(key, 0..=36_500)).filter(|kept| !kept.is_zero());
    Retention {
        invitations: unless_zero("retention.invitations_days"),
        deliveries: unless_zero("retention.deliveries_days"),
        bulk_jobs: layers.days("retention.bulk_jobs_days", 1..=36_500),
    }
}

fn reconciliation(layers: &mut Layers) -> Reconciliation {
    let minutes: u64 = layers.number("reconcile.interval_minutes", 0..=10_080);
    Reconciliation {
        interval: Some(Duration::from_mins(minutes)).filter(|interval| !interval.is_zero()),
        batch: layers.number("reconcile.batch", 1..=10_000),
        relock: layers.flag("reconcile.relock"),
    }
}

fn wso2_version(layers: &mut Layers) -> Wso2Version {
    const KEY: &str = "compat.wso2_version";
    Wso2Version::parse(&layers.text(KEY)).unwrap_or_else(|| {
        layers.fail(KEY, "must be a version such as 7.1.0");
        Wso2Version::LATEST
    })
}

fn log(layers: &mut Layers) -> LogConfig {
    let format = match layers.text("log.format").as_str() {
        "json" => LogFormat::Json,
        "text" => LogFormat::Text,
        _ => {
            layers.fail("log.format", r#"must be "json" or "text""#);
            LogFormat::Json
        }
    };
    let filter = layers.required_text("log.filter");
    if EnvFilter::try_new(&filter).is_err() {
        layers.fail("log.filter", r#"must be a level, or levels by module such as "info,invited::delivery=debug""#);
    }
    LogConfig { format, filter }
}

/// How long a call may take. Three of them, as a change in the directory can need, end before the lease does.
pub(super) fn timeout(layers: &mut Layers, key: &str) -> Duration {
    layers.millis(key, 1..=i64::try_from(LEASE.as_millis() / 3).unwrap_or(i64::MAX))
}

/// The URL at `key`, if it is set and may be called.
pub(super) fn url(layers: &mut Layers, key: &str, outbound: &OutboundConfig) -> Option<Url> {
    let text = layers.optional_text(key)?;
    checks::url(&text, outbound).map_err(|error| layers.fail(key, error)).ok()
}

/// The URL at `key`, which must be set.
pub(super) fn required_url(layers: &mut Layers, key: &str, outbound: &OutboundConfig) -> Option<Url> {
    if !layers.is_given(key) {
        layers.fail_missing(key);
    }
    url(layers, key, outbound)
}
