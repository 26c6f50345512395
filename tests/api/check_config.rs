//! `invited check-config --connect` as an operator runs it: what it says, what it ends with, and that nobody gets or loses anything.

use std::process::Command;

use wiremock::ResponseTemplate;

use crate::support::Settings;
use crate::support::app::config;
use crate::support::database::Database;
use crate::support::directory::{Directory, Fault};
use crate::support::gateway::Gateway;

struct Outside {
    database: Database,
    directory: Directory,
    gateway: Gateway,
}

impl Outside {
    async fn start() -> Self {
        Self { database: Database::create(), directory: Directory::start(), gateway: Gateway::start().await }
    }

    /// What it prints, and whether it ends well.
    async fn check(&self) -> (String, bool) {
        let toml = config(&self.database, &self.directory, &self.gateway, &Settings::default());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), toml).unwrap();
        let output = tokio::task::spawn_blocking(move || {
            let mut invited = Command::new(env!("CARGO_BIN_EXE_invited"));
            invited.args(["check-config", "--connect", "--config"]).arg(file.path()).output().unwrap()
        });
        let output = output.await.unwrap();
        (String::from_utf8(output.stdout).unwrap(), output.status.success())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_works_is_good_and_nothing_is_sent_or_changed() {
    let outside = Outside::start().await;
    let (said, is_good) = outside.check().await;
    assert_eq!(said, "the configuration is good\nemail: good\nsms: good\ndirectory: good\n");
    assert!(is_good);
    assert_eq!(outside.gateway.methods().await, ["OPTIONS", "OPTIONS"]);
    assert!(outside.directory.calls().iter().all(|call| call.method == "GET"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_is_said_in_words_beside_what_does() {
    let outside = Outside::start().await;
    outside.gateway.answers("sms", ResponseTemplate::new(401), 1).await;
    outside.directory.break_next("GET", Fault::Status(401));
    let (said, is_good) = outside.check().await;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[1], "email: good");
    assert!(lines[2].starts_with("sms: refuses us: look at the credential"), "{said}");
    assert_eq!(lines[3], "directory: the directory did not take the request: unauthorized");
    assert!(!is_good);
}
