//! What the body of a job may look like, and what it may not; rows that are tried out, tried again, and forgotten.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::bulk::{BULK, lines, outcomes, post_lines, row, run, take_on};
use crate::support::directory::Fault;
use crate::support::{Reply, TestApp};

/// Sends a chunked body piece by piece, as long as the service listens; the status line and all that follows.
fn send_pieces(app: &TestApp, media_type: &str, pieces: impl Iterator<Item = Vec<u8>>) -> String {
    let mut socket = TcpStream::connect(app.url.trim_start_matches("http://")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = format!(
        "POST {BULK} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: {media_type}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        app.token()
    );
    socket.write_all(head.as_bytes()).unwrap();
    for piece in pieces {
        let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat();
        if socket.write_all(&chunk).is_err() {
            break;
        }
    }
    socket.write_all(b"0\r\n\r\n").ok();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).ok();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn post_array(app: &TestApp, body: &str) -> Reply {
    let request = app.request("POST", BULK).bearer_auth(app.token()).header("Content-Type", "application/json");
    app.send(request.body(body.to_owned())).await
}

fn jobs(app: &TestApp) -> i64 {
    app.database.count("SELECT (SELECT count(*) FROM bulk_job) + (SELECT count(*) FROM bulk_row) AS count")
}

#[tokio::test(flavor = "multi_thread")]
async fn arrays_and_lines_in_any_dress_and_any_pieces_are_the_same_rows() {
    let app = TestApp::spawn().await;
    let names = ["jörg", "日本", "𝒜da"];
    let rows = |tag: &str| {
        names.map(|name| {
            let mut row = row(&format!("{name}{tag}"));
            row["user"]["email"] = json!(format!("a{tag}@example.com"));
            row
        })
    };
    let bodies = [
        ("application/x-ndjson", rows("1").map(|row| row.to_string()).join("\n")),
        (
            "application/x-ndjson",
            format!("\u{feff}\r\n{}\r\n\r\n", rows("2").map(|row| row.to_string()).join("\r\n \r\n")),
        ),
        ("application/json", json!(rows("3")).to_string()),
        ("application/json", format!("\u{feff}{}\n", serde_json::to_string_pretty(&json!(rows("4"))).unwrap())),
    ];
    for (media_type, body) in bodies {
        let answer = tokio::task::block_in_place(|| {
            send_pieces(&app, media_type, body.as_bytes().chunks(1).map(<[u8]>::to_vec))
        });
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    }
    run(&app).await;
    for tag in 1..=4 {
        for name in names {
            let path = format!("/v1/accounts/PRIMARY/{name}{tag}");
            assert!(app.get(&path).await.ok(200)["invitationId"].is_string(), "{path}");
        }
    }
    while app.tick().await > 0 {}
    assert_eq!(app.gateway.received("email").await.len(), 12);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_can_not_be_split_is_refused_and_leaves_nothing_behind() {
    let app = TestApp::spawn().await;
    let good: Vec<String> = (0..150).map(|n| row(&format!("p{n}")).to_string()).collect();
    let good = good.join(",");
    for bad in [
        format!("[{good},]"),
        format!("[{good}"),
        format!("[{good}] []"),
        format!("{{\"rows\":[{good}]}}"),
        format!("[{good}}}]"),
    ] {
        post_array(&app, &bad).await.problem(400, "malformed_json");
    }
    post_array(&app, "").await.problem(400, "malformed_json");
    post_array(&app, " [ ] ").await.problem(400, "bulk_empty");
    post_lines(&app, BULK, "\n \r\n").await.problem(400, "bulk_empty");
    while app.sweep().await > 0 {}
    assert_eq!(jobs(&app), 0);
    run(&app).await;
    assert!(app.gateway.received("email").await.is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_media_types_and_parameters_are_refused() {
    let app = TestApp::spawn().await;
    for media_type in ["text/plain", "application/jsonl", "application/x-ndjsonx"] {
        let request = app.request("POST", BULK).bearer_auth(app.token()).header("Content-Type", media_type);
        app.send(request.body("[]")).await.problem(415, "unsupported_media_type");
    }
    for (query, pointer, code) in [
        ("?dryRun=1", "dryRun", "invalid_value"),
        ("?dryRun=true&dryRun=true", "dryRun", "duplicate_parameter"),
        ("?dryrun=true", "dryrun", "unknown_parameter"),
    ] {
        post_lines(&app, &format!("{BULK}{query}"), "{}").await.field_problem(400, pointer, code);
    }
    let request = app.request("POST", BULK).bearer_auth(app.token_for("default", "invitations:read"));
    app.send(request.json(&json!([row("x")]))).await.problem(403, "insufficient_scope");
    assert_eq!(jobs(&app), 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_rows_are_taken_and_one_more_is_not() {
    let app = TestApp::spawn().await;
    let line = "{}\n";
    post_lines(&app, BULK, line.repeat(10_001)).await.problem(413, "bulk_too_many_rows");
    let job = post_lines(&app, BULK, line.repeat(10_000)).await.ok(202);
    assert_eq!((&job["total"], &job["failed"]), (&json!(10_000), &json!(10_000)));
    run(&app).await;
    while app.sweep().await > 0 {}
    assert_eq!(jobs(&app), 10_001, "what was refused is gone");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_too_long_fails_alone() {
    let app = TestApp::spawn().await;
    let long = format!("{{\"x\":\"{}\"}}", "y".repeat(16 * 1024));
    let job = take_on(&app, "", format!("{long}\n{}\n{}{long}", row("fits"), " ".repeat(9000))).await;
    run(&app).await;
    let outcomes = outcomes(&app, &job);
    assert_eq!(outcomes.len(), 3);
    for index in [0, 2] {
        assert_eq!((outcomes[&index].0.as_str(), &outcomes[&index].1["code"]), ("failed", &json!("payload_too_large")));
    }
    assert_eq!(outcomes[&1].0, "issued");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_is_cut_off() {
    let app = TestApp::spawn().await;
    let endless = std::iter::once(b"[\"".to_vec()).chain(std::iter::repeat(vec![b'x'; 1024 * 1024])).take(400);
    let answer = tokio::task::block_in_place(|| send_pieces(&app, "application/json", endless));
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(jobs(&app), 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sender_that_hung_up_had_sent_is_removed() {
    let app = TestApp::spawn().await;
    let sent = lines(&(0..150).map(|n| row(&format!("p{n}"))).collect::<Vec<_>>());
    let head = format!(
        "POST {BULK} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/x-ndjson\r\nContent-Length: 99999999\r\n\r\n",
        app.token()
    );
    let mut socket = TcpStream::connect(app.url.trim_start_matches("http://")).unwrap();
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(sent.as_bytes()).unwrap();
    while jobs(&app) == 0 {}
    drop(socket);
    app.sweep().await;
    assert!(jobs(&app) > 0, "it may still be coming in");
    app.advance(Duration::from_secs(61));
    while app.sweep().await > 0 {}
    assert_eq!(jobs(&app), 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_finds_what_the_real_one_would_and_writes_no_invitation() {
    let app = TestApp::spawn().await;
    let known = app.user().await;
    app.post("/v1/invitations", row("live")).await.ok(201);
    app.work().await;
    let before = app.directory.calls().len();
    let mut replacing = row("live");
    replacing["ifExists"] = json!("replace");
    let mut elsewhere = row("twin");
    elsewhere["redirectUrl"] = json!("https://evil.example.org/");
    let sent = [
        row("fine"),
        json!({"user": {"username": known.username}}),
        json!({"user": {"username": "nobody"}}),
        row("live"),
        replacing,
        elsewhere,
        row("twin"),
        row("TWIN"),
        row("twin"),
        json!({"user": {"username": "u", "id": "u", "email": "u@example.com"}, "expiresInMinutes": 99_999}),
        json!({"user": {"username": "v", "id": "v", "email": "v@example.com"}, "delivery": "return"}),
    ];
    let body = lines(&sent);
    let dry = take_on(&app, "?dryRun=true", body.clone()).await;
    assert_eq!(dry["dryRun"], true);
    let rows = "SELECT (SELECT count(*) FROM invitation) + (SELECT count(*) FROM outbox) + (SELECT count(*) FROM account) AS count";
    let stored = app.database.count(rows);
    run(&app).await;
    assert_eq!(app.database.count(rows), stored);
    assert_eq!(app.directory.calls().len(), before + 2, "it asks the directory as the real one does");
    let (tried, codes) = (outcomes(&app, &dry), |found: &(String, Value)| (found.0.clone(), found.1["code"].clone()));
    let done = app.get(&format!("{BULK}/{}", dry["id"].as_str().unwrap())).await.ok(200);
    assert_eq!((&done["status"], &done["done"], &done["failed"]), (&json!("done"), &json!(11), &json!(7)));

    let real = take_on(&app, "", body).await;
    run(&app).await;
    let issued = outcomes(&app, &real);
    for index in 0..11 {
        let (status, code) = codes(&issued[&index]);
        let expected = if status == "issued" { "valid".to_owned() } else { status };
        assert_eq!(codes(&tried[&index]), (expected, code), "row {index}");
    }
    while app.tick().await > 0 {}
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_down_delays_rows_and_fails_none() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    for _ in 0..3 {
        app.directory.break_next("GET", Fault::Status(503));
    }
    let job = take_on(&app, "", format!("{}\n{}", json!({"user": {"username": user.username}}), row("other"))).await;
    for _ in 0..8 {
        run(&app).await;
        app.advance(Duration::from_secs(30));
    }
    let outcomes = outcomes(&app, &job);
    assert_eq!((outcomes[&0].0.as_str(), outcomes[&1].0.as_str()), ("issued", "issued"));
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_one_account_keep_their_order_while_the_first_one_waits() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.directory.break_next("GET", Fault::Status(503));
    let of = |id: &str, more: Value| {
        let mut row = json!({"user": {"username": user.username}, "lockAccount": false, "metadata": {"row": id}});
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row.to_string()
    };
    let known = json!({"user": user.known(), "ifExists": "replace"});
    let lines = [of("1", json!({})), row("other").to_string(), of("2", known.clone()), of("3", known)];
    let job = take_on(&app, "", lines.join("\n")).await;
    for _ in 0..8 {
        run(&app).await;
        app.advance(Duration::from_secs(30));
    }
    let outcomes = outcomes(&app, &job);
    assert!((0..4).all(|index| outcomes[&index].0 == "issued"), "{outcomes:?}");
    let live = app.account(&user).await["invitationId"].clone();
    assert_eq!(app.invitation(&live).await["metadata"]["row"], "3", "the last one of the file is the one that counts");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_stays_down_fails_the_row_in_the_end() {
    let app = TestApp::spawn().await;
    for _ in 0..20 {
        app.directory.break_next("GET", Fault::Status(503));
    }
    let job = take_on(&app, "", json!({"user": {"username": "someone"}}).to_string()).await;
    for _ in 0..14 {
        run(&app).await;
        app.advance(Duration::from_mins(31));
    }
    let (status, problem) = &outcomes(&app, &job)[&0];
    assert_eq!(
        (status.as_str(), &problem["code"], &problem["status"]),
        ("failed", &json!("directory_unavailable"), &json!(503))
    );
    assert_eq!(app.directory.calls().len(), 12);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_forgotten_a_month_after_its_end() {
    let app = TestApp::spawn().await;
    let job = take_on(&app, "", row("one").to_string()).await;
    run(&app).await;
    app.work().await;
    let path = format!("{BULK}/{}", job["id"].as_str().unwrap());
    app.advance(Duration::from_hours(24 * 30 - 1));
    while app.sweep().await > 0 {}
    app.get(&path).await.ok(200);
    app.advance(Duration::from_hours(2));
    while app.sweep().await > 0 {}
    app.get(&path).await.problem(404, "bulk_job_not_found");
    assert_eq!(jobs(&app), 0);
    app.finish().await;
}
