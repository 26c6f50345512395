//! Lists at size: how long a page takes, and by which plan, as the tables grow tenfold.
//!
//! `cargo bench --bench lists -- 100000` fills a database (SQLite; PostgreSQL when `TEST_DATABASE_URL` names an empty one) with that many
//! invitations, their messages and four events each, and calls the service over HTTP. A new list is a line in `CASES`, and what it lists is
//! a statement in `fill`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a benchmark that can't go on ends"
)]

mod database;
mod fill;
mod plans;

use std::sync::Arc;
use std::time::{Duration, Instant};

use invited::app::App;
use invited::clock::{Clock, SystemClock};
use invited::config::Config;
use invited::domain::ids::TenantId;
use invited::domain::keys::Keyring;
use invited::domain::page::{Place, Scope, seal};
use invited::domain::time::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;

use database::Database;
use fill::Filling;

const SECRET: &str = "a-secret-of-the-benchmark-with-at-least-32-bytes";
const SAMPLES: usize = 40;

/// What is called: a name, and a path in which `{id}`, `{account}`, `{user}`, `{deep}`, `{then}` and `{soon}` are filled in.
const CASES: &[(&str, &str)] = &[
    ("one invitation, for comparison", "/v1/invitations/{id}"),
    ("invitations: first page", "/v1/invitations"),
    ("invitations: first page of 100", "/v1/invitations?limit=100"),
    ("invitations: nine tenths down", "/v1/invitations?after={deep}"),
    ("invitations: the page before that", "/v1/invitations?before={deep}"),
    ("status, common", "/v1/invitations?status=accepted"),
    ("status, by the clock", "/v1/invitations?status=pending"),
    ("status, with what ran out", "/v1/invitations?status=expired"),
    ("status, one in a thousand", "/v1/invitations?status=failed"),
    ("status, four at once", "/v1/invitations?status=pending,expired,revoked,failed"),
    ("method, one in a hundred", "/v1/invitations?method=sms_otp"),
    ("purpose", "/v1/invitations?purpose=password_reset"),
    ("realm", "/v1/invitations?realm=partners"),
    ("username", "/v1/invitations?username={user}"),
    ("createdBefore", "/v1/invitations?createdBefore={then}"),
    ("createdAfter", "/v1/invitations?createdAfter={then}&order=asc"),
    ("expiresBefore", "/v1/invitations?expiresBefore={soon}"),
    ("expiresBefore of the pending", "/v1/invitations?expiresBefore={soon}&status=pending&order=asc"),
    ("deliveryStatus, common", "/v1/invitations?deliveryStatus=sent"),
    ("deliveryStatus, one in a thousand", "/v1/invitations?deliveryStatus=failed"),
    ("status and method, judged by row", "/v1/invitations?status=pending&method=sms_otp"),
    ("deliveries: first page", "/v1/deliveries"),
    ("deliveries: failed", "/v1/deliveries?status=failed"),
    ("deliveries: channel", "/v1/deliveries?channel=sms"),
    ("deliveries: kind", "/v1/deliveries?kind=password_reset_email_otp"),
    ("deliveries: of an invitation", "/v1/deliveries?invitationId={id}"),
    ("timeline", "/v1/invitations/{id}/timeline"),
    ("audit: first page", "/v1/audit-events"),
    ("audit: actor, one in a thousand", "/v1/audit-events?actor=rare"),
    ("audit: event", "/v1/audit-events?event=invitation.accepted"),
    ("audit: of an invitation", "/v1/audit-events?invitationId={id}"),
    ("audit: of an account", "/v1/audit-events?accountId={account}"),
    ("audit: of a user name", "/v1/audit-events?username={user}"),
    ("audit: from a time on", "/v1/audit-events?from={then}&order=asc"),
];

/// The running service, and somebody who asks it.
struct Bench {
    url: String,
    token: String,
    client: reqwest::Client,
}

impl Bench {
    async fn start(database: &Database) -> Self {
        let config = Config::from_parts(Some(("bench.toml", &config(&database.url()))), []);
        let config = config.unwrap_or_else(|error| panic!("{error}"));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        invited::app::open_store(&config, Arc::clone(&clock)).unwrap().migrate().await.unwrap();
        let now = clock.now().seconds();
        let app = App::build(config, clock).await.unwrap();
        let url = format!("http://{}", app.address());
        tokio::spawn(app.run(std::future::pending()));
        let claims = json!({
            "iss": "https://id.example.com", "aud": "invited", "sub": "bench", "client_id": "bench", "jti": "1", "iat": now,
            "exp": now + 36_000, "tenant": "default", "scope": "invitations:read audit:read"
        });
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some("at+jwt".to_owned());
        let token = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap();
        Self { url, token, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    async fn get(&self, path: &str) -> String {
        let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let response = request.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{path}: {text}");
        text
    }

    /// What a quarter of many calls stay below: other work on the machine makes the rest slower.
    async fn measure(&self, path: &str) -> Duration {
        for _ in 0..5 {
            self.get(path).await;
        }
        let mut samples = Vec::new();
        for _ in 0..SAMPLES {
            let started = Instant::now();
            self.get(path).await;
            samples.push(started.elapsed());
        }
        samples.sort();
        samples[SAMPLES / 4]
    }

    async fn measure_all(&self, filling: &Filling) -> Vec<Duration> {
        let mut spans = Vec::new();
        for (_, path) in CASES {
            spans.push(self.measure(&filled_in(path, filling)).await);
        }
        spans
    }
}

/// The path with what there is in place of its names.
fn filled_in(path: &str, filling: &Filling) -> String {
    let (one, deep) = (filling.rows / 2, filling.rows / 10);
    let keys = Keyring::new([("k1", &[1; 32])]).unwrap();
    let tenant = TenantId::default_tenant();
    let scope = Scope { tenant: &tenant, list: "invitations", filter: "desc&" };
    let at = |n: i64| Timestamp::from_millis(filling.created_at(n));
    let cursor = seal(&keys, &scope, &Place { at: at(deep), id: format!("inv_{deep:032x}") });
    path.replace("{id}", &format!("inv_{one:032x}"))
        .replace("{account}", &format!("acc_{one:032x}"))
        .replace("{user}", &format!("user{one}"))
        .replace("{deep}", &cursor)
        .replace("{then}", &at(one).to_rfc3339())
        .replace("{soon}", &Timestamp::from_millis(filling.now + 600_000).to_rfc3339())
}

fn config(database_url: &str) -> String {
    format!(
        r#"
        [server]
        listen = "127.0.0.1:0"
        workers = 2
        public_calls_per_minute = 0
        [database]
        url = "{database_url}"
        [secrets]
        master_keys = ["k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="]
        [auth]
        issuer = "https://id.example.com"
        audience = "invited"
        hs256_secret = "{SECRET}"
        [directory]
        base_url = "http://127.0.0.1:9"
        token = "nobody-is-there"
        [worker]
        enabled = false
        [defaults]
        links.setup_url = "https://app.example.com/set-password#token={{token}}"
        links.otp_url = "https://app.example.com/enter-code"
        "#
    )
}

#[tokio::main]
async fn main() {
    // Cargo adds `--bench`.
    let rows: i64 = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    plans::listen();
    let database = Database::create();
    let bench = Bench::start(&database).await;
    let now = SystemClock.now().millis();
    let (small, full) = (Filling { rows: rows / 10, total: rows, now }, Filling { rows, total: rows, now });
    let started = Instant::now();
    fill::fill(&database, 0, &small);
    let before = bench.measure_all(&small).await;
    fill::fill(&database, small.rows, &full);
    let after = bench.measure_all(&full).await;
    println!("\n{}, filled and measured in {} s\n", database.name(), started.elapsed().as_secs());
    print_table((&small, &before), (&full, &after));
    let exporting = Instant::now();
    let lines = bench.get("/v1/audit-events?format=ndjson").await.lines().count();
    println!("\nexport: {lines} events, {:.0} a second\n", lines as f64 / exporting.elapsed().as_secs_f64());
    for (name, path) in CASES {
        plans::begin();
        bench.get(&filled_in(path, &full)).await;
        println!("### {name}\n");
        for plan in plans::explain(&database) {
            println!("```text\n{plan}\n```\n");
        }
    }
}

fn print_table((small, before): (&Filling, &[Duration]), (full, after): (&Filling, &[Duration])) {
    println!("| call | at {}, ms | at {}, ms | grown by |\n|---|---|---|---|", small.rows, full.rows);
    let millis = |span: &Duration| span.as_secs_f64() * 1000.0;
    for ((name, _), (before, after)) in CASES.iter().zip(before.iter().zip(after)) {
        let (before, after) = (millis(before), millis(after));
        println!("| {name} | {before:.2} | {after:.2} | {:.2} |", after / before);
    }
}
