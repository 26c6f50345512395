//! `invited sandbox` as a newcomer meets it: one command, then the whole job clicked through in a real browser.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it can't go on")]

#[path = "fixtures/skipped.rs"]
mod skipped;

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The sandbox; ended when dropped.
struct Sandbox {
    process: Child,
    port: u16,
    /// Where it puts its temporary folder; it has no time to clean up when it is ended.
    _folder: tempfile::TempDir,
}

impl Sandbox {
    async fn start() -> Self {
        let (port, folder) = (free_ports(6), tempfile::tempdir().unwrap());
        let process = Command::new(env!("CARGO_BIN_EXE_invited"))
            .args(["sandbox", "--port", &port.to_string()])
            .env("TMPDIR", folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let sandbox = Self { process, port, _folder: folder };
        sandbox.ready().await;
        sandbox
    }

    /// Where the server is that listens `after` ports after the API.
    fn url(&self, after: u16) -> String {
        format!("http://127.0.0.1:{}", self.port + after)
    }

    async fn ready(&self) {
        let client = invited::outbound::Egress::default().client(Duration::from_secs(5)).unwrap();
        let url = format!("{}/health/ready", self.url(0));
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        let is_ready = async {
            while !client.get(&url).send().await.is_ok_and(|reply| reply.status().is_success()) {
                ticks.tick().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), is_ready).await.expect("the sandbox should get ready");
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The first of `count` free ports in a row.
fn free_ports(count: u16) -> u16 {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let any = || bind(0).unwrap().local_addr().unwrap().port();
    let are_free = |first: u16| first < u16::MAX - count && (first..first + count).all(|port| bind(port).is_ok());
    std::iter::repeat_with(any).take(100).find(|first| are_free(*first)).expect("some ports should be free")
}

#[tokio::test]
async fn a_newcomer_clicks_through_the_whole_job() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/sandbox.mjs");
    let tools = std::env::var_os("TEST_NODE_TOOLS").is_some() || script.with_file_name("node_modules").is_dir();
    if std::env::var_os("TEST_CHROMIUM").is_none() || !tools {
        skipped::say("TEST_CHROMIUM or playwright-core is missing");
        return;
    }
    let sandbox = Sandbox::start().await;
    let status = Command::new("node")
        .arg(script)
        .env("DEMO_URL", sandbox.url(4))
        .env("INBOX_URL", sandbox.url(1))
        .status()
        .expect("node should run");
    assert!(status.success(), "the script says what it did not find");
}
