//! Jobs of 10 000 rows against the real binary: how long they take, how much memory, and what a single invitation waits meanwhile.
//!
//! ```sh
//! cargo bench --bench bulk                                            # SQLite
//! scripts/with-postgres.sh cargo bench --bench bulk                   # PostgreSQL
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark that can't go on ends"
)]

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

const ROWS: usize = 10_000;
const SECRET: &str = "a-secret-of-the-benchmark-with-32-bytes";

/// When each address was first written to.
type Mailed = Arc<Mutex<HashMap<String, Instant>>>;

struct Service {
    child: Child,
    address: String,
    token: String,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[tokio::main]
async fn main() {
    let mailed = Mailed::default();
    let service = Service::start(&gateway(&mailed)).await;
    println!("idle: {} MiB resident", service.resident("VmRSS"));

    let begun = Instant::now();
    let job = tokio::task::block_in_place(|| service.send_rows("a"));
    println!(
        "one job of {ROWS} rows of 8 KiB: taken in after {:.1} s, at most {} MiB resident",
        secs(begun),
        service.resident("VmHWM")
    );
    let singles = service.issue_singles_until_done(&[job], &mailed).await;
    println!("  issued after {:.1} s, at most {} MiB resident", secs(begun), service.resident("VmHWM"));
    wait_until(&mailed, ROWS + singles.len()).await;
    println!("  all sent after {:.1} s", secs(begun));
    tell("  a single invitation meanwhile, from the call to the gateway", singles);

    let begun = Instant::now();
    let jobs: Vec<String> =
        (0..10).map(|n| tokio::task::block_in_place(|| service.send_rows(&format!("b{n}")))).collect();
    println!("ten jobs of {ROWS} rows: taken in after {:.1} s", secs(begun));
    let singles = service.issue_singles_until_done(&jobs, &mailed).await;
    println!("  issued after {:.1} s, at most {} MiB resident", secs(begun), service.resident("VmHWM"));
    tell("  a single invitation meanwhile, from the call to the gateway", singles);
    for path in
        ["/v1/bulk-invitations?limit=100", &format!("/v1/bulk-invitations/{}/results?status=issued&limit=100", jobs[9])]
    {
        let mut times = Vec::new();
        for _ in 0..50 {
            let begun = Instant::now();
            service.get(path).await;
            times.push(begun.elapsed());
        }
        tell(&format!("  GET {}", path.replace(&jobs[9], "{id}")), times);
    }
}

fn secs(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64()
}

fn tell(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: usize| {
        times.get((times.len() * share / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
    };
    println!("{what}: median {:?}, 95 % {:?}, longest {:?} ({} times)", at(50), at(95), at(100), times.len());
}

async fn wait_until(mailed: &Mailed, count: usize) {
    let mut pulse = tokio::time::interval(Duration::from_millis(50));
    while mailed.lock().unwrap().len() < count {
        pulse.tick().await;
    }
}

/// A gateway that takes everything at once; returns its URL.
fn gateway(mailed: &Mailed) -> String {
    let mailed = Arc::clone(mailed);
    let server = HttpServer::new(move || {
        let mailed = Arc::clone(&mailed);
        App::new().app_data(web::PayloadConfig::new(1 << 20)).default_service(web::to(move |body: web::Bytes| {
            let message: Value = serde_json::from_slice(&body).unwrap_or_default();
            let to = message["to"].as_str().unwrap_or_default().to_owned();
            mailed.lock().unwrap().entry(to).or_insert_with(Instant::now);
            async { HttpResponse::Accepted().json(json!({"id": "1"})) }
        }))
    });
    let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", server.addrs().first().unwrap());
    tokio::spawn(server.run());
    url
}

impl Service {
    async fn start(gateway: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (config, log) = (folder.path().join("invited.toml"), folder.path().join("log"));
        std::fs::write(&config, configuration(&folder, gateway)).unwrap();
        let invited = |command: &str| {
            let mut process = Command::new(env!("CARGO_BIN_EXE_invited"));
            process
                .arg(command)
                .arg("--config")
                .arg(&config)
                .stdout(std::fs::File::options().append(true).create(true).open(&log).unwrap());
            process
        };
        assert!(invited("migrate").status().unwrap().success());
        let child = invited("serve").spawn().unwrap();
        let mut pulse = tokio::time::interval(Duration::from_millis(20));
        let address = loop {
            pulse.tick().await;
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            if let Some((address, _)) = text.split_once("\"address\":\"").and_then(|(_, rest)| rest.split_once('"')) {
                break address.to_owned();
            }
        };
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { child, address, token: token(), client, _folder: folder }
    }

    /// Sends a job's rows as they are made; returns its id.
    fn send_rows(&self, tag: &str) -> String {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        let head = format!(
            "POST /v1/bulk-invitations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
            self.token
        );
        socket.write_all(head.as_bytes()).unwrap();
        let padding = " ".repeat(4000);
        for n in 0..ROWS {
            let mut row = row(&format!("{tag}-{n}"));
            row["metadata"] = json!({"note": "x".repeat(3900)});
            let line = format!("{row}{padding}\n");
            socket.write_all(format!("{:x}\r\n{line}\r\n", line.len()).as_bytes()).unwrap();
        }
        socket.write_all(b"0\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let (_, rest) = answer.split_once("\"id\":\"").expect(&answer);
        rest.split('"').next().unwrap().to_owned()
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.client.get(format!("http://{}{path}", self.address)).bearer_auth(&self.token);
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    /// Issues one invitation after another until the jobs are done; how long each took to reach the gateway.
    async fn issue_singles_until_done(&self, jobs: &[String], mailed: &Mailed) -> Vec<Duration> {
        let mut took = Vec::new();
        let mut pulse = tokio::time::interval(Duration::from_millis(250));
        for job in jobs {
            while self.get(&format!("/v1/bulk-invitations/{job}")).await["status"] != "done" {
                pulse.tick().await;
                let name = format!("single-{job}-{}", took.len());
                let begun = Instant::now();
                let request =
                    self.client.post(format!("http://{}/v1/invitations", self.address)).bearer_auth(&self.token);
                request.json(&row(&name)).send().await.unwrap().error_for_status().unwrap();
                let address = format!("{name}@example.com");
                let mut pulse = tokio::time::interval(Duration::from_millis(1));
                let sent = loop {
                    if let Some(at) = mailed.lock().unwrap().get(&address) {
                        break *at;
                    }
                    pulse.tick().await;
                };
                took.push(sent.duration_since(begun));
            }
        }
        took
    }

    /// A line of the process's status, in MiB.
    fn resident(&self, what: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }
}

/// A person that nobody has to look up.
fn row(name: &str) -> Value {
    let user = json!({"username": name, "id": format!("id-{name}"), "email": format!("{name}@example.com")});
    json!({"user": user, "lockAccount": false})
}

fn token() -> String {
    let now = invited::clock::Clock::now(&invited::clock::SystemClock).seconds();
    let claims = json!({
        "iss": "https://id.example.com", "aud": "invited", "sub": "bench", "client_id": "bench", "jti": "1", "iat": now, "exp": now + 86_400,
        "tenant": "default", "scope": "invitations:read invitations:write"
    });
    let header = Header { typ: Some("at+jwt".to_owned()), ..Header::default() };
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

fn configuration(folder: &tempfile::TempDir, gateway: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "the benchmark is told its database by the environment")]
    let database = std::env::var("TEST_DATABASE_URL")
        .unwrap_or_else(|_| format!("sqlite://{}", folder.path().join("invited.db").display()));
    format!(
        r#"
        server.listen = "127.0.0.1:0"
        database.url = "{database}"
        secrets.master_keys = ["k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="]
        auth = {{ issuer = "https://id.example.com", audience = "invited", hs256_secret = "{SECRET}" }}
        email = {{ driver = "webhook", url = "{gateway}", token = "t", from = "a@example.com" }}
        directory = {{ base_url = "http://127.0.0.1:9/scim", token = "t" }}
        log.filter = "warn,invited::app=info"
        "#
    )
}
