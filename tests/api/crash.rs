//! Kill -9 between every step of delivering and accepting: nothing lost, nothing burnt, nothing done twice.
//!
//! The real binary is run and dies at a labelled place; a clean one goes on with the same database, a lease later.

mod bulk;
mod fallback;

use std::collections::HashSet;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use invited::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::app::{config, issue_token};
use crate::support::database::Database;
use crate::support::directory::{Directory, Fault};
use crate::support::gateway::Gateway;
use crate::support::{PASSWORD, Reply, Settings, User};

/// Longer than any lease.
const LATER: Duration = Duration::from_secs(61);

/// The world that outlives the process.
struct World {
    database: Database,
    directory: Directory,
    gateway: Gateway,
    user: User,
    client: reqwest::Client,
    settings: Settings,
}

/// A running service.
struct Process {
    child: Child,
    url: String,
    _config: tempfile::NamedTempFile,
}

impl World {
    async fn new(settings: Settings) -> Self {
        let (database, directory, gateway) = (Database::create(), Directory::start(), Gateway::start().await);
        let user = directory.person().await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { database, directory, gateway, user, client, settings }
    }

    /// Starts the service, some time ahead, to die at `failpoint`.
    async fn start(&self, ahead: Duration, failpoint: &str) -> Process {
        let toml = config(&self.database, &self.directory, &self.gateway, &self.settings)
            .replace("enabled = false", "enabled = true\npoll_interval_ms = 50");
        let (file, log) = (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
        std::fs::write(file.path(), toml).unwrap();
        let invited = |command: &str| {
            let mut process = Command::new(env!("CARGO_BIN_EXE_invited"));
            process.arg(command).arg("--config").arg(file.path()).stdout(log.reopen().unwrap());
            process
        };
        assert!(invited("migrate").status().unwrap().success());
        let ahead_ms = i64::try_from(ahead.as_millis()).unwrap();
        self.database.set_clock_offset(ahead_ms);
        let child = invited("serve")
            .env("INVITED_FAILPOINT", failpoint)
            .env("INVITED_CLOCK_OFFSET_MS", ahead_ms.to_string())
            .spawn()
            .unwrap();
        let mut process = Process { child, url: String::new(), _config: file };
        // It chooses its port itself and says which: one chosen here could be another test's by then.
        until("the service listens", || async { address_in(log.path()).is_some() }).await;
        process.url = format!("http://{}", address_in(log.path()).unwrap());
        until("the service gets ready", || async {
            let ready = self.client.get(format!("{}/health/ready", process.url)).send().await;
            ready.is_ok_and(|reply| reply.status().is_success())
        })
        .await;
        process
    }

    /// A POST, or a GET without a body, that may meet a dying process.
    async fn call(&self, process: &Process, path: &str, bearer: &str, body: Value) -> Option<Reply> {
        let url = format!("{}{path}", process.url);
        let request = if body.is_null() { self.client.get(url) } else { self.client.post(url).json(&body) };
        let request = if bearer.is_empty() { request } else { request.bearer_auth(bearer) };
        Some(Reply::read(request.send().await.ok()?).await)
    }

    async fn issue(&self, process: &Process, fields: Value) {
        let mut body = json!({"user": self.user.known()});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.call(process, "/v1/invitations", &issue_token(LATER), body).await;
    }

    /// Issues with a key, as somebody does who will repeat it until there is an answer.
    async fn issue_once(&self, process: &Process) -> Option<Reply> {
        let body = json!({"user": self.user.known(), "lockAccount": false, "ifExists": "replace"});
        let request = self.client.post(format!("{}/v1/invitations", process.url)).bearer_auth(issue_token(LATER));
        Some(Reply::read(request.header("Idempotency-Key", "once").json(&body).send().await.ok()?).await)
    }

    async fn account(&self, process: &Process) -> Value {
        let path = format!("/v1/accounts/PRIMARY/{}", self.user.username);
        self.call(process, &path, &issue_token(LATER), Value::Null).await.unwrap().ok(200)
    }

    async fn set_password(&self, process: &Process, grant: &str) -> Option<Reply> {
        self.call(process, "/v1/redemptions/password", grant, json!({"password": PASSWORD})).await
    }

    async fn set_password_once(&self, process: &Process, grant: &str) -> Option<Reply> {
        let request = self.client.post(format!("{}/v1/redemptions/password", process.url)).bearer_auth(grant);
        let request = request.header("Idempotency-Key", "once").json(&json!({"password": PASSWORD}));
        Some(Reply::read(request.send().await.ok()?).await)
    }

    async fn redeem(&self, process: &Process) -> String {
        let body = json!({"token": self.gateway.last_token().await});
        let redeemed = self.call(process, "/v1/redemptions", "", body).await.unwrap().ok(200);
        redeemed["grant"].as_str().unwrap().to_owned()
    }

    async fn mails(&self, kind: &str) -> Vec<Value> {
        self.gateway.received("email").await.into_iter().filter(|mail| mail["kind"] == kind).collect()
    }

    async fn mail_arrives(&self, kind: &str) {
        until("a mail arrives", || async { !self.mails(kind).await.is_empty() }).await;
    }

    async fn outbox_is_settled(&self) {
        let open = "SELECT count(*) AS count FROM outbox WHERE state IN ('held', 'scheduled', 'ready', 'sending') OR payload IS NOT NULL";
        until("the outbox is settled", || async { self.database.count(open) == 0 }).await;
    }

    fn passwords_set(&self) -> Vec<Value> {
        self.directory.patches().iter().filter_map(|patch| patch.replaced("password").cloned()).collect()
    }

    /// What must hold in the end, whatever died where.
    async fn all_is_well(&self, process: &Process) {
        self.mail_arrives("activation_email").await;
        self.outbox_is_settled().await;
        let account = self.account(process).await;
        assert_eq!((&account["state"], &account["directory"]), (&json!("UNLOCKED"), &json!("synced")));
        assert_eq!(self.directory.user("PRIMARY", &self.user.id).await["active"], true);
        assert_eq!(self.database.count("SELECT count(*) AS count FROM invitation WHERE status = 'accepted'"), 1);
        assert_eq!(
            self.database.count("SELECT count(*) AS count FROM audit_event WHERE event = 'invitation.accepted'"),
            1
        );
        for kind in ["invitation_email_link", "activation_email"] {
            let mails = self.mails(kind).await;
            let keys: HashSet<&str> = mails.iter().map(|mail| mail["key"].as_str().unwrap()).collect();
            assert_eq!(keys.len(), 1, "a repeated {kind} is the same message");
            assert!(mails.iter().all(|mail| mail["text"] == mails[0]["text"]), "and carries the same secret");
        }
        let (token, bytes) = (self.gateway.last_token().await, self.database.raw_bytes());
        for secret in [token.as_str(), PASSWORD] {
            assert!(
                !bytes.windows(secret.len()).any(|window| window == secret.as_bytes()),
                "a secret is in the database's files"
            );
        }
    }
}

impl Process {
    /// Waits for the process to die of its failpoint.
    async fn dies(mut self) {
        let status = ended(&mut self.child).await;
        assert!(!status.success(), "it ended well instead of dying");
    }

    fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

async fn ended(child: &mut Child) -> ExitStatus {
    let mut pulse = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..3000 {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        pulse.tick().await;
    }
    panic!("the process does not end");
}

/// The address that a log says the service listens at.
fn address_in(log: &Path) -> Option<String> {
    let text = std::fs::read_to_string(log).ok()?;
    let line = text.lines().find(|line| line.contains("\"listening\""))?;
    let (address, _) = line.split_once("\"address\":\"")?.1.split_once('"')?;
    Some(address.to_owned())
}

/// Looks again and again, for at most 30 seconds: another process does the work.
async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let mut pulse = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..3000 {
        if holds().await {
            return;
        }
        pulse.tick().await;
    }
    panic!("in vain: {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_message_whose_worker_died_is_sent_as_the_same() {
    let world = World::new(Settings::default()).await;
    let doomed = world.start(Duration::ZERO, "deliver.done").await;
    let soon = SystemClock.now().after(Duration::from_secs(2)).to_rfc3339();
    world.issue(&doomed, json!({"lockAccount": false, "sendAt": soon})).await;
    assert!(world.mails("invitation_email_link").await.is_empty(), "its time has not come");
    doomed.dies().await;

    let _next = world.start(LATER, "").await;
    world.outbox_is_settled().await;
    let mails = world.mails("invitation_email_link").await;
    assert_eq!((mails.len(), &mails[0]["key"]), (2, &mails[1]["key"]), "a gateway that knows the key delivers it once");
    assert_eq!(mails[0]["text"], mails[1]["text"]);
}

async fn dies_while_delivering(place: &str, lock: bool) {
    let world = World::new(Settings::default()).await;
    let doomed = world.start(Duration::ZERO, place).await;
    world.issue(&doomed, json!({"lockAccount": lock})).await;
    doomed.dies().await;

    let next = world.start(LATER, "").await;
    world.mail_arrives("invitation_email_link").await;
    let grant = world.redeem(&next).await;
    world.set_password(&next, &grant).await.unwrap().ok(200);
    world.all_is_well(&next).await;
    assert_eq!(world.passwords_set(), [json!(PASSWORD)]);
}

async fn dies_while_accepting(place: &str, settings: Settings) {
    let world = World::new(settings).await;
    let first = world.start(Duration::ZERO, "").await;
    world.issue(&first, json!({})).await;
    world.mail_arrives("invitation_email_link").await;
    let grant = world.redeem(&first).await;
    drop(first);
    let doomed = world.start(Duration::ZERO, place).await;
    assert!(world.set_password(&doomed, &grant).await.is_none(), "the answer got lost with the process");
    doomed.dies().await;

    let next = world.start(LATER, "").await;
    let again = world.set_password(&next, &grant).await.unwrap();
    match place {
        "accept.completed" => drop(again.problem(401, "grant_invalid")),
        _ => drop(again.ok(200)),
    }
    world.all_is_well(&next).await;
    let times = if place == "accept.applied" { 2 } else { 1 };
    assert_eq!(world.passwords_set(), vec![json!(PASSWORD); times]);
}

async fn dies_while_issuing(place: &str, was_done: bool) {
    let world = World::new(Settings::default()).await;
    let doomed = world.start(Duration::ZERO, place).await;
    assert!(world.issue_once(&doomed).await.is_none(), "the answer got lost with the process");
    doomed.dies().await;

    let next = world.start(Duration::ZERO, "").await;
    let at_once = world.issue_once(&next).await.unwrap();
    if was_done {
        assert_eq!((at_once.status, at_once.header("idempotent-replayed")), (201, "true"));
    } else {
        at_once.problem(409, "idempotency_in_progress");
    }
    drop(next);
    let next = world.start(LATER, "").await;
    let later = world.issue_once(&next).await.unwrap();
    assert_eq!((later.status, later.header("idempotent-replayed") == "true"), (201, was_done));
    world.mail_arrives("invitation_email_link").await;
    world.outbox_is_settled().await;
    let mails = world.mails("invitation_email_link").await;
    assert!(mails.iter().all(|mail| mail["key"] == mails[0]["key"]), "a repeated message is the same message");
    assert_eq!(world.database.count("SELECT count(*) AS count FROM invitation"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_key_the_answer_of_a_completed_acceptance_comes_again() {
    let world = World::new(Settings::default()).await;
    let doomed = world.start(Duration::ZERO, "accept.completed").await;
    world.issue(&doomed, json!({})).await;
    world.mail_arrives("invitation_email_link").await;
    let grant = world.redeem(&doomed).await;
    assert!(world.set_password_once(&doomed, &grant).await.is_none(), "the answer got lost with the process");
    doomed.dies().await;
    let next = world.start(LATER, "").await;
    let again = world.set_password_once(&next, &grant).await.unwrap();
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.ok(200)["status"], "accepted");
    world.all_is_well(&next).await;
    assert_eq!(world.passwords_set(), [json!(PASSWORD)]);
}

macro_rules! dies {
    ($($name:ident: $run:expr;)+) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() { $run.await; })+
    };
}

dies! {
    with_a_lock_claimed: dies_while_delivering("deliver.claimed", true);
    with_the_intention_to_lock_written: dies_while_delivering("lock.intended", true);
    with_the_lock_applied: dies_while_delivering("lock.applied", true);
    with_the_lock_done: dies_while_delivering("deliver.done", true);
    with_a_message_claimed: dies_while_delivering("deliver.claimed", false);
    with_a_message_about_to_be_sent: dies_while_delivering("deliver.sending", false);
    with_a_message_sent_but_not_settled: dies_while_delivering("deliver.done", false);
    with_a_key_reserved: dies_while_issuing("idempotency.reserved", false);
    with_the_answer_of_a_key_kept_but_not_sent: dies_while_issuing("idempotency.done", true);
    before_the_claim: dies_while_accepting("accept.before_claim", Settings::default());
    with_the_acceptance_claimed: dies_while_accepting("accept.claimed", Settings::default());
    with_the_password_about_to_be_set: dies_while_accepting("accept.patching", Settings::default());
    with_the_password_set_but_not_completed: dies_while_accepting("accept.applied", Settings::default());
    with_the_acceptance_completed: dies_while_accepting("accept.completed", Settings::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_marker_a_dead_acceptance_is_completed_by_the_next_process() {
    let world = World::new(Settings { directory: "marker_attribute = \"nickName\"", ..Settings::default() }).await;
    let first = world.start(Duration::ZERO, "accept.applied").await;
    world.issue(&first, json!({})).await;
    world.mail_arrives("invitation_email_link").await;
    let grant = world.redeem(&first).await;
    assert!(world.set_password(&first, &grant).await.is_none());
    first.dies().await;
    let next = world.start(LATER, "").await;
    world.all_is_well(&next).await;
    assert_eq!(world.passwords_set(), [json!(PASSWORD)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_finishes_what_is_under_way() {
    let world = World::new(Settings::default()).await;
    let mut process = world.start(Duration::ZERO, "").await;
    world.issue(&process, json!({})).await;
    world.mail_arrives("invitation_email_link").await;
    let grant = world.redeem(&process).await;
    let let_go = Arc::new(Notify::new());
    world.directory.break_next("PATCH", Fault::Held(Arc::clone(&let_go)));
    let answer = async { world.set_password(&process, &grant).await };
    let stop = async {
        until("the directory is asked", || async { !world.passwords_set().is_empty() }).await;
        process.terminate();
        let_go.notify_one();
    };
    let (answer, ()) = tokio::join!(answer, stop);
    answer.unwrap().ok(200);
    assert!(ended(&mut process.child).await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_while_idle_it_ends_well() {
    let world = World::new(Settings::default()).await;
    let mut process = world.start(Duration::ZERO, "").await;
    process.terminate();
    assert!(ended(&mut process.child).await.success());
}
