use std::sync::Arc;
use std::time::Duration;

use invited::app::App;
use invited::clock::{Clock, OffsetClock};
use invited::config::Config;
use invited::delivery::Worker;
use invited::metrics::Metrics;
use invited::service::Service;
use invited::service::bulk::Runner;
use invited::storage::Store;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::database::Database;
use super::directory::{Directory, Played};
use super::gateway::Gateway;
use super::{Reply, token};

/// Lines of the configuration that a test wants other than usual.
#[derive(Default)]
pub(crate) struct Settings {
    /// TOML under `[defaults]`, for example `otp = { length = 4 }`.
    pub(crate) defaults: &'static str,
    /// TOML in `[directory]`.
    pub(crate) directory: &'static str,
    /// Calls of the public routes a minute; no limit when 0.
    pub(crate) calls_per_minute: u32,
    /// Channels that have no gateway.
    pub(crate) without: &'static [&'static str],
    /// TOML in `[auth]` that says where keys come from, in place of the shared secret.
    pub(crate) keys: Option<String>,
    /// Keys with their sections, for example `retention.invitations_days = 0`.
    pub(crate) operator: &'static str,
    /// Further sections, in TOML.
    pub(crate) sections: &'static str,
    /// Where the gateways are said to be, in place of where they are.
    pub(crate) gateways_at: Option<&'static str>,
}

/// The running service and the world around it.
pub(crate) struct TestApp {
    pub(crate) database: Database,
    pub(crate) directory: Directory,
    pub(crate) gateway: Gateway,
    pub(crate) clock: Arc<OffsetClock>,
    pub(crate) url: String,
    metrics_url: String,
    service: Arc<Service>,
    worker: Worker,
    pub(crate) runner: Runner,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
}

impl User {
    /// All that is needed to invite the person without asking the directory.
    pub(crate) fn known(&self) -> Value {
        json!({"username": self.username, "id": self.id, "email": self.email, "phone": self.phone})
    }
}

/// A person in the directory.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) phone: String,
}

impl TestApp {
    pub(crate) async fn spawn() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        Self::before(Directory::start(), settings).await
    }

    /// With a directory that behaves as WSO2 Identity Server does; `None`, after saying so, where there is none.
    pub(crate) async fn with_wso2(settings: Settings) -> Option<Self> {
        Some(Self::before(Directory::start_wso2()?, settings).await)
    }

    /// With a directory that is not a SCIM one.
    pub(crate) async fn with_directory(played: Played, settings: Settings) -> Self {
        Self::before(Directory::start_as(played), settings).await
    }

    async fn before(directory: Directory, settings: Settings) -> Self {
        let (database, gateway) = (Database::create(), Gateway::start().await);
        let clock = Arc::new(OffsetClock::default());
        let toml = config(&database, &directory, &gateway, &settings);
        let config = Config::from_parts(Some(("test.toml", &toml)), []).unwrap_or_else(|error| panic!("{error}"));
        if database.is_postgres() {
            invited::app::open_store(&config, Arc::<OffsetClock>::clone(&clock)).unwrap().migrate().await.unwrap();
        }
        let app = App::build(config, Arc::<OffsetClock>::clone(&clock)).await.unwrap();
        let (url, service, worker) = (format!("http://{}", app.address()), app.service(), app.worker());
        let metrics_url = format!("http://{}/metrics", app.metrics_address().unwrap());
        let runner = app.runner();
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(app.run(async move {
            stopped.await.ok();
        }));
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self {
            database,
            directory,
            gateway,
            clock,
            url,
            metrics_url,
            service,
            worker,
            runner,
            client,
            stop: Some(stop),
        }
    }

    /// A new person in the realm PRIMARY.
    pub(crate) async fn user(&self) -> User {
        self.directory.person().await
    }

    /// Moves the time for the service and its database alike.
    pub(crate) fn advance(&self, span: Duration) {
        self.clock.advance(span);
        self.database.set_clock_offset(self.clock.offset_ms());
    }

    /// The service's time, as on the wire.
    pub(crate) fn clock_now(&self) -> String {
        self.clock_after(Duration::ZERO)
    }

    pub(crate) fn clock_after(&self, span: Duration) -> String {
        self.clock.now().after(span).to_rfc3339()
    }

    /// Lets the background work run until nothing is due; moves no time.
    pub(crate) async fn work(&self) {
        self.service.settle_afterwards().await;
        self.service.sweep().await.unwrap();
        for _ in 0..100 {
            if self.worker.tick().await.unwrap() + self.worker.tick_events().await.unwrap() == 0 {
                return;
            }
        }
        panic!("the outbox does not come to rest");
    }

    /// A worker on the service's outbox.
    pub(crate) fn worker(&self) -> Worker {
        self.worker.clone()
    }

    pub(crate) fn clock_millis(&self) -> i64 {
        self.clock.now().millis()
    }

    /// Tells the events that are due, once each.
    pub(crate) async fn tick_events(&self) -> usize {
        self.worker.tick_events().await.unwrap()
    }

    /// One step of one worker, on messages only.
    pub(crate) async fn tick(&self) -> usize {
        self.worker.tick().await.unwrap()
    }

    /// One pass over what ran out or was left behind.
    pub(crate) async fn sweep(&self) -> usize {
        self.service.sweep().await.unwrap()
    }

    /// One pass over the accounts that are due to be compared with the directory.
    pub(crate) async fn reconcile(&self) -> usize {
        let (_, stop) = tokio::sync::watch::channel(false);
        self.service.reconcile(&stop).await.unwrap()
    }

    /// As [`TestApp::reconcile`], by a process that has been told to stop.
    pub(crate) async fn reconcile_stopped(&self) -> usize {
        let (_, stop) = tokio::sync::watch::channel(true);
        self.service.reconcile(&stop).await.unwrap()
    }

    /// A token of the platform for the default tenant, with every scope.
    pub(crate) fn token(&self) -> String {
        let scopes = "invitations:read invitations:write settings:read settings:write accounts:read accounts:write \
                      deliveries:write audit:read otp:verify webhooks:write";
        self.token_for("default", scopes)
    }

    pub(crate) fn token_for(&self, tenant: &str, scopes: &str) -> String {
        token::sign(&token::claims(tenant, scopes, self.clock.now().seconds()), "at+jwt")
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().unwrap(), format!("{}{path}", self.url))
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        Reply::read(request.send().await.unwrap()).await
    }

    /// An administrator's POST.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(self.request("POST", path).bearer_auth(self.token()).json(&body)).await
    }

    /// An administrator's GET.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(self.request("GET", path).bearer_auth(self.token())).await
    }

    /// Issues an invitation for the user with these further fields, and has it sent.
    pub(crate) async fn issue(&self, user: &User, fields: Value) -> Value {
        let issued = self.try_issue(user, fields).await.ok(201);
        self.work().await;
        issued
    }

    /// Issues without sending anything yet.
    pub(crate) async fn try_issue(&self, user: &User, fields: Value) -> Reply {
        let mut body = json!({"user": {"username": user.username}});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.post("/v1/invitations", body).await
    }

    pub(crate) async fn invitation(&self, id: &Value) -> Value {
        self.get(&format!("/v1/invitations/{}", id.as_str().unwrap())).await.ok(200)
    }

    pub(crate) async fn account(&self, user: &User) -> Value {
        self.get(&format!("/v1/accounts/PRIMARY/{}", user.username)).await.ok(200)
    }

    /// The invited person's POST, without a credential.
    pub(crate) async fn redeem(&self, body: Value) -> Reply {
        self.send(self.request("POST", "/v1/redemptions").json(&body)).await
    }

    pub(crate) async fn redeem_token(&self, token: &str) -> Reply {
        self.redeem(json!({"token": token})).await
    }

    pub(crate) async fn redeem_code(&self, user: &User, code: &str) -> Reply {
        self.redeem(json!({"username": user.username, "otp": code})).await
    }

    pub(crate) async fn set_password(&self, grant: &str, password: &str) -> Reply {
        self.send(
            self.request("POST", "/v1/redemptions/password").bearer_auth(grant).json(&json!({"password": password})),
        )
        .await
    }

    /// The whole way from a link's token to a password that is set.
    pub(crate) async fn accept(&self, token: &str) {
        let redeemed = self.redeem_token(token).await.ok(200);
        self.set_password(redeemed["grant"].as_str().unwrap(), super::PASSWORD).await.ok(200);
    }

    /// The events of the audit trail of an invitation.
    pub(crate) async fn events(&self, id: &Value) -> Vec<String> {
        let store = self.store();
        let id = invited::domain::ids::InvitationId::parse(id.as_str().unwrap()).unwrap();
        let events = store.read(move |conn| {
            let tenant = invited::domain::ids::TenantId::default_tenant();
            invited::storage::audit::of_invitation(conn, &tenant, id)
        });
        events.await.unwrap().into_iter().map(|(event, ..)| event).collect()
    }

    /// What Prometheus reads.
    pub(crate) async fn metrics(&self) -> String {
        let answer = self.client.get(&self.metrics_url).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], invited::metrics::MEDIA_TYPE);
        answer.text().await.unwrap()
    }

    /// The service's database, past the service.
    pub(crate) fn store(&self) -> Store {
        self.counted_store(Arc::default())
    }

    /// As [`TestApp::store`], with numbers of its own.
    pub(crate) fn counted_store(&self, metrics: Arc<Metrics>) -> Store {
        Store::open(&self.database.url(), 1, Duration::from_secs(5), Arc::<OffsetClock>::clone(&self.clock), metrics)
            .unwrap()
    }

    async fn unsettled(&self) -> i64 {
        self.store().read(invited::storage::outbox::count_unsettled).await.unwrap()
    }

    /// Ends the test: nothing may be left in the outbox.
    pub(crate) async fn finish(mut self) {
        self.service.settle_afterwards().await;
        assert_eq!(self.unsettled().await, 0, "messages are left in the outbox");
        self.stop.take().map(|stop| stop.send(()));
    }
}

const MASTER_KEY: &str = "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

pub(crate) fn config(database: &Database, directory: &Directory, gateway: &Gateway, settings: &Settings) -> String {
    let channel = |name: &str, from: &str| {
        if settings.without.contains(&name) {
            return String::new();
        }
        format!(
            "[{name}]\ndriver = \"webhook\"\nurl = \"{}\"\ntoken = \"gateway-token\"\nfrom = \"{from}\"\ntimeout_ms = 3000\n",
            settings.gateways_at.map_or_else(|| gateway.url(name), |base| format!("{base}/{name}"))
        )
    };
    format!(
        r#"
        {operator}
        [server]
        listen = "127.0.0.1:0"
        metrics_listen = "127.0.0.1:0"
        public_url = "https://invited.example.com"
        workers = 2
        failure_floor_ms = 0
        public_calls_per_minute = {calls_per_minute}
        shutdown_timeout_seconds = 1
        [database]
        url = "{url}"
        pool_size = 8
        checkout_timeout_ms = 20000
        [secrets]
        master_keys = ["{MASTER_KEY}"]
        [auth]
        issuer = "{issuer}"
        audience = "{audience}"
        {keys}
        {email}
        {sms}
        [directory]
        base_url = "{directory_url}"
        token = "directory-token"
        timeout_ms = 3000
        {directory}
        [worker]
        enabled = false
        [defaults]
        links.setup_url = "https://app.example.com/set-password#token={{token}}"
        links.otp_url = "https://app.example.com/enter-code"
        links.allowed_origins = ["https://app.example.com"]
        links.allowed_redirects = ["https://app.example.com/welcome", "https://docs.example.com/*"]
        {defaults}
        {sections}
        "#,
        calls_per_minute = settings.calls_per_minute,
        url = database.url(),
        issuer = token::ISSUER,
        audience = token::AUDIENCE,
        keys = settings.keys.clone().unwrap_or_else(|| format!("hs256_secret = \"{}\"", token::SECRET)),
        email = channel("email", "Example <no-reply@example.com>"),
        sms = channel("sms", "Example"),
        directory_url = directory.base_url(),
        directory = settings.directory,
        operator = settings.operator,
        defaults = settings.defaults,
        sections = settings.sections,
    )
}

/// A token of the platform that is good for the time that tests with processes of their own move about in.
pub(crate) fn issue_token(ahead: Duration) -> String {
    let now = invited::clock::SystemClock.now();
    let scopes = "invitations:read invitations:write accounts:read";
    token::sign(&token::claims("default", scopes, now.after(ahead).seconds()), "at+jwt")
}
