//! Wires the configuration and a clock into a running service, and stops it in order.
//!
//! The only place that knows every part. Request handlers and background work share the store, the keys and the directory.

mod connect;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use anyhow::Context as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config::{Config, DirectoryCredential, DirectoryDriver, GatewayConfig, KeySource};
use crate::delivery::{self, Worker};
use crate::directory::{BaseUrl, Credential, Directory, Endpoint, HttpDirectory, KeycloakDirectory, ScimDirectory};
use crate::domain::invitation::Channel;
use crate::domain::ip_range::Reach;
use crate::domain::keys::Keyring;
use crate::domain::webhook::TargetRules;
use crate::gateway::{EmailDriver, EmailGateway, Gateway, SmsDriver, SmsGateway};
use crate::http::{self, Authenticator, Jwks, Keys, Limiter, Listening, Rules};
use crate::metrics::Metrics;
use crate::outbound::circuit::Circuit;
use crate::outbound::{Egress, OutboundError};
use crate::service::bulk::Runner;
use crate::service::{Channels, Parts, Service};
use crate::storage::Store;
use crate::webhook::{Sender, Way};

pub use connect::{Tried, connect};

/// How often what ran out or was left behind is looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// How often accounts that are due are compared with the directory.
const RECONCILE_INTERVAL: Duration = Duration::from_mins(1);

/// A service that is ready to run.
pub struct App {
    address: SocketAddr,
    server: Server,
    numbers: Option<Numbers>,
    service: Arc<Service>,
    worker: Worker,
    runner: Runner,
    background: Option<Background>,
    shutdown_timeout: Duration,
}

/// What goes on besides requests.
struct Background {
    poll: Duration,
}

/// The listener for those who watch the service.
struct Numbers {
    address: SocketAddr,
    server: Server,
}

impl Numbers {
    fn listen(at: SocketAddr, state: Arc<http::State>) -> anyhow::Result<Self> {
        let listener = bind("server.metrics_listen", at)?;
        Ok(Self { address: listener.local_addr()?, server: http::serve_metrics(listener, state)? })
    }

    /// Runs until the handle says stop.
    fn start(self) -> ServerHandle {
        let handle = self.server.handle();
        tokio::spawn(self.server);
        tracing::info!(address = %self.address, "metrics");
        handle
    }
}

impl App {
    /// Binds the socket and builds every part; nothing runs yet. On SQLite the schema is brought up to date.
    ///
    /// # Errors
    /// What can't be used, in words that name the configuration's key.
    pub async fn build(mut config: Config, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let metrics = Arc::new(Metrics::default());
        let store = counted_store(&config, Arc::clone(&clock), Arc::clone(&metrics))?;
        if config.database.is_sqlite() {
            store.migrate().await.context("database.url: the schema could not be brought up to date")?;
        }
        let keys = Arc::new(keyring(&config)?);
        let directory = Arc::new(directory(&config, Arc::clone(&clock), Arc::clone(&metrics))?);
        let (email, sms) = gateways(&config.outbound.egress, (config.email.take(), config.sms.take()), &clock)?;
        let circuits = circuits(email.as_ref(), sms.as_ref());
        let webhooks = Arc::new(event_sender(&config, &keys, &clock)?);
        let service = Arc::new(Service::new(Parts {
            store: store.clone(),
            directory: Arc::clone(&directory),
            clock: Arc::clone(&clock),
            keys: Arc::clone(&keys),
            defaults: config.defaults.clone(),
            channels: Channels { email: email.is_some(), sms: sms.is_some() },
            failure_floor: config.server.failure_floor,
            retention: config.retention,
            reconciliation: config.reconciliation,
            webhooks: Arc::clone(&webhooks),
            vendors: std::mem::take(&mut config.vendors),
        }));
        let worker = Worker::new(delivery::Parts {
            store,
            clock: Arc::clone(&clock),
            keys,
            directory,
            email,
            sms,
            webhooks,
            metrics: Arc::clone(&metrics),
            concurrency: config.worker.concurrency,
            webhook_concurrency: config.webhooks.concurrency,
        });
        let authenticator = authenticator(&config, clock)?;
        let limiter = Limiter::new(config.server.public_calls_per_minute, config.server.trusted_proxies);
        let listener = bind("server.listen", config.server.listen)?;
        let address = listener.local_addr()?;
        let listening =
            Listening { listener, workers: config.server.workers, shutdown_timeout: config.server.shutdown_timeout };
        let state = Arc::new(http::State {
            service: Arc::clone(&service),
            authenticator,
            wso2_version: config.wso2_version,
            circuits,
            metrics,
        });
        let numbers = config.server.metrics_listen.map(|at| Numbers::listen(at, Arc::clone(&state))).transpose()?;
        let server = http::serve(listening, state, limiter)?;
        let background = config.worker.enabled.then_some(Background { poll: config.worker.poll_interval });
        let runner = Runner::new(Arc::clone(&service), http::wire(), config.bulk_concurrency);
        let shutdown_timeout = config.server.shutdown_timeout;
        Ok(Self { address, server, numbers, service, worker, runner, background, shutdown_timeout })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where `/metrics` is, if anywhere.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.numbers.as_ref().map(|numbers| numbers.address)
    }

    /// The use cases, for those that drive the service from outside HTTP.
    #[must_use]
    pub fn service(&self) -> Arc<Service> {
        Arc::clone(&self.service)
    }

    /// A worker on the same outbox.
    #[must_use]
    pub fn worker(&self) -> Worker {
        self.worker.clone()
    }

    /// One that works on jobs of many invitations.
    #[must_use]
    pub fn runner(&self) -> Runner {
        self.runner.clone()
    }

    /// Runs until `stop` completes; then lets what is under way finish.
    ///
    /// # Errors
    /// That the server broke.
    pub async fn run(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let (tell, told) = watch::channel(false);
        let workers = (self.worker, self.runner);
        let background = self.background.map(|how| start(&how, &self.service, workers, &told)).unwrap_or_default();
        let numbers = self.numbers.map(Numbers::start);
        let handle = self.server.handle();
        let mut server = tokio::spawn(self.server);
        tracing::info!(address = %self.address, "listening");
        tokio::select! {
            () = stop => {}
            ended = &mut server => {
                tell.send_replace(true);
                ended.context("the server ended by itself")??;
                anyhow::bail!("the server ended by itself");
            }
        }
        tracing::info!("stopping: what is under way is finished first");
        tell.send_replace(true);
        finish(handle, &self.service, background, self.shutdown_timeout).await;
        server.await.context("the server ended early")??;
        // Watched to the end.
        if let Some(numbers) = numbers {
            numbers.stop(false).await;
        }
        tracing::info!("stopped");
        Ok(())
    }
}

fn start(
    how: &Background,
    service: &Arc<Service>,
    (worker, runner): (Worker, Runner),
    told: &watch::Receiver<bool>,
) -> Vec<JoinHandle<()>> {
    let deliver = tokio::spawn(worker.run(service.bell(), how.poll, told.clone()));
    let sweep = tokio::spawn(sweep(Arc::clone(service), told.clone()));
    let bulk = tokio::spawn(runner.run(how.poll, told.clone()));
    let reconcile = tokio::spawn(reconcile(Arc::clone(service), told.clone()));
    vec![deliver, sweep, bulk, reconcile]
}

async fn sweep(service: Arc<Service>, mut told: watch::Receiver<bool>) {
    while !*told.borrow() {
        if let Err(error) = service.sweep().await {
            tracing::error!(error = ?error, "the sweep failed");
        }
        tokio::select! {
            () = tokio::time::sleep(SWEEP_INTERVAL) => {}
            _ = told.changed() => {}
        }
    }
}

async fn reconcile(service: Arc<Service>, mut told: watch::Receiver<bool>) {
    while !*told.borrow() {
        if let Err(error) = service.reconcile(&told).await {
            tracing::error!(error = ?error, "accounts can't be compared with the directory");
        }
        tokio::select! {
            () = tokio::time::sleep(RECONCILE_INTERVAL) => {}
            _ = told.changed() => {}
        }
    }
}

async fn finish(server: ServerHandle, service: &Service, background: Vec<JoinHandle<()>>, at_most: Duration) {
    let all = async {
        server.stop(true).await;
        service.settle_afterwards().await;
        for task in background {
            if task.await.is_err() {
                tracing::error!("background work ended early");
            }
        }
    };
    if tokio::time::timeout(at_most + Duration::from_secs(1), all).await.is_err() {
        tracing::warn!("not everything finished in time; what was claimed comes back when its lease lapses");
    }
}

/// Opens the store that the configuration names.
///
/// # Errors
/// That the pools can't be made.
pub fn open_store(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Store> {
    counted_store(config, clock, Arc::default())
}

fn counted_store(config: &Config, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> anyhow::Result<Store> {
    let database = &config.database;
    Store::open(&database.url, database.pool_size, database.checkout_timeout, clock, metrics).context("database.url")
}

fn bind(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    http::bind(address).with_context(|| format!("{key}: {address} can't be listened on"))
}

fn keyring(config: &Config) -> anyhow::Result<Keyring> {
    let masters = config.secrets.master_keys.iter().map(|master| (master.kid.as_str(), &*master.key));
    Keyring::new(masters).context("secrets.master_keys")
}

fn directory(config: &Config, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> anyhow::Result<Directory> {
    let directory = &config.directory;
    let allow_insecure_http = config.outbound.allow_insecure_http;
    let base_url = BaseUrl::new(&directory.base_url, &directory.default_tenant, allow_insecure_http)
        .context("directory.base_url")?;
    let endpoint = Endpoint {
        egress: config.outbound.egress.clone(),
        base_url,
        credential: credential(&directory.credential),
        timeout: directory.timeout,
        allow_insecure_http,
        metrics,
    };
    let made = match &directory.driver {
        DirectoryDriver::Scim(dialect) => ScimDirectory::new(endpoint, dialect.clone(), clock).map(Directory::Scim),
        DirectoryDriver::Keycloak(attributes) => {
            KeycloakDirectory::new(endpoint, attributes.clone(), clock).map(Directory::Keycloak)
        }
        DirectoryDriver::Http { keeps_marker } => {
            HttpDirectory::new(endpoint, *keeps_marker, clock).map(Directory::Http)
        }
    };
    made.context("directory.token_url")
}

fn credential(config: &DirectoryCredential) -> Credential {
    match config {
        DirectoryCredential::None => Credential::None,
        DirectoryCredential::Basic { username, password } => {
            Credential::Basic { username: username.clone(), password: password.clone() }
        }
        DirectoryCredential::Bearer(token) => Credential::Bearer(token.clone()),
        DirectoryCredential::ClientCredentials { token_url, client_id, client_secret, scope } => {
            Credential::ClientCredentials {
                token_url: token_url.clone(),
                client_id: client_id.clone(),
                client_secret: client_secret.clone(),
                scope: scope.clone(),
            }
        }
    }
}

fn gateways(
    egress: &Egress,
    (email, sms): (Option<GatewayConfig<EmailDriver>>, Option<GatewayConfig<SmsDriver>>),
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<(Option<EmailGateway>, Option<SmsGateway>)> {
    let email = email.map(|email| gateway(egress, email, clock)).transpose();
    let sms = sms.map(|sms| gateway(egress, sms, clock)).transpose();
    Ok((email.context("email")?, sms.context("sms")?))
}

fn gateway<D>(egress: &Egress, config: GatewayConfig<D>, clock: &Arc<dyn Clock>) -> Result<Gateway<D>, OutboundError> {
    Gateway::new(egress, config.driver, config.timeout, Arc::clone(clock))
}

fn circuits(email: Option<&EmailGateway>, sms: Option<&SmsGateway>) -> Vec<(Channel, Arc<Circuit>)> {
    let email = email.map(|email| (Channel::Email, email.circuit()));
    email.into_iter().chain(sms.map(|sms| (Channel::Sms, sms.circuit()))).collect()
}

fn event_sender(config: &Config, keys: &Arc<Keyring>, clock: &Arc<dyn Clock>) -> anyhow::Result<Sender> {
    let rules = TargetRules {
        allow_insecure_http: config.outbound.allow_insecure_http,
        reach: Reach { allowed: config.webhooks.allowed_ranges.clone() },
    };
    let way = Way {
        egress: &config.outbound.egress,
        use_proxy: config.webhooks.use_proxy,
        deadline: config.webhooks.timeout,
    };
    Sender::new(&way, rules, Arc::clone(keys), Arc::clone(clock)).context("webhooks")
}

fn authenticator(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Authenticator> {
    let auth = &config.auth;
    let keys = match &auth.keys {
        KeySource::Jwks(url) => {
            let outbound = &config.outbound;
            let jwks = Jwks::new(&outbound.egress, url.clone(), outbound.allow_insecure_http);
            Keys::Jwks(Box::new(jwks.context("auth.jwks_url")?))
        }
        KeySource::Shared(secret) => Keys::shared(secret),
    };
    let rules = Rules {
        issuer: auth.issuer.clone(),
        audience: auth.audience.clone(),
        tenant_claim: auth.tenant_claim.clone(),
        scope_claim: auth.scope_claim.clone(),
        token_type: auth.token_type.clone(),
        algorithms: auth.algorithms.clone(),
    };
    Ok(Authenticator::new(rules, keys, clock))
}
