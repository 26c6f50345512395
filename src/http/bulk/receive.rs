//! Reading a body of many rows: never more of it in memory than one batch.

use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::web;
use aws_lc_rs::digest::{Context, SHA256};
use futures_util::StreamExt as _;

use super::split::{Format, ROW_MAX, Row, Splitter, Unsplittable};
use crate::domain::ids::AccountKey;
use crate::http::extract::{timed_out, too_large, unreadable_body};
use crate::http::invitations::issue::read_command;
use crate::http::problem::Problem;
use crate::service::Service;
use crate::service::bulk::{Incoming, ReceivedRow};

/// Largest body: as many rows as there may be, each as long as it may be.
const BODY_MAX: usize = 10_000 * ROW_MAX;
/// Longest wait for the next piece of a body, and for all of it.
const PIECE_DEADLINE: Duration = Duration::from_secs(10);
const BODY_DEADLINE: Duration = Duration::from_mins(10);
/// When the rows read so far are stored.
const BATCH_ROWS: usize = 100;
const BATCH_BYTES: usize = 512 * 1024;
/// As long a row waits for its batch: storing one also says that the sender is still there.
const BATCH_AGE: Duration = Duration::from_secs(20);

/// Stores the rows of the body; returns a digest of its bytes.
pub(super) async fn receive(
    service: &Service,
    incoming: &mut Incoming,
    mut body: web::Payload,
    format: Format,
) -> Result<Vec<u8>, Problem> {
    let begun = Instant::now();
    let mut batch = Batch::default();
    let mut splitter = Splitter::new(format);
    let (mut digest, mut length, mut stored) = (Context::new(&SHA256), 0, begun);
    while let Some(piece) = next_piece(&mut body, begun).await? {
        length += piece.len();
        if length > BODY_MAX {
            return Err(too_large(BODY_MAX));
        }
        digest.update(&piece);
        let mut bytes = &piece[..];
        while let Some(row) = splitter.next_row(&mut bytes).map_err(unsplittable)? {
            batch.add(row);
            if batch.is_full() {
                service.receive_bulk_rows(incoming, batch.take()).await?;
                stored = Instant::now();
            }
        }
        if stored.elapsed() >= BATCH_AGE && !batch.rows.is_empty() {
            service.receive_bulk_rows(incoming, batch.take()).await?;
            stored = Instant::now();
        }
    }
    if let Some(row) = splitter.finish().map_err(unsplittable)? {
        batch.add(row);
    }
    if !batch.rows.is_empty() {
        service.receive_bulk_rows(incoming, batch.take()).await?;
    }
    Ok(digest.finish().as_ref().to_vec())
}

async fn next_piece(body: &mut web::Payload, begun: Instant) -> Result<Option<web::Bytes>, Problem> {
    let left = BODY_DEADLINE.saturating_sub(begun.elapsed()).min(PIECE_DEADLINE);
    let piece = tokio::time::timeout(left, body.next()).await.map_err(|_| timed_out())?;
    piece.transpose().map_err(|_| unreadable_body())
}

fn unsplittable(Unsplittable(detail): Unsplittable) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail)
}

/// Rows that are not stored yet.
#[derive(Default)]
struct Batch {
    rows: Vec<ReceivedRow>,
    bytes: usize,
}

impl Batch {
    fn add(&mut self, row: Row) {
        let read = match row {
            Row::Text(input) => {
                self.bytes += input.len();
                read_command(&input)
                    .map(|command| (AccountKey::new(&command.user.realm, &command.user.username), input))
            }
            Row::TooLong => Err(too_large(ROW_MAX)),
        };
        self.rows.push(match read {
            Ok((account, input)) => ReceivedRow::Usable { input, account },
            Err(problem) => ReceivedRow::Unusable { problem: problem.to_json() },
        });
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= BATCH_ROWS || self.bytes >= BATCH_BYTES
    }

    fn take(&mut self) -> Vec<ReceivedRow> {
        self.bytes = 0;
        std::mem::take(&mut self.rows)
    }
}
