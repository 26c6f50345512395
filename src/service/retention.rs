//! Taking away what is over and was kept long enough, in small steps that never touch anything live.

use std::time::Duration;

use super::{Service, ServiceError, ServiceResult};
use crate::storage::audit::{Actor, Event, record};
use crate::storage::retention;

/// How many rows one transaction takes away.
const BATCH: i64 = 200;
/// How many transactions one pass makes.
const BATCHES: usize = 10;

impl Service {
    /// One pass; returns how many rows were taken away.
    ///
    /// # Errors
    /// That the database failed.
    pub(super) async fn purge(&self) -> ServiceResult<usize> {
        let mut purged = 0;
        if let Some(kept) = self.retention.invitations {
            purged += self.purge_invitations(kept).await?;
        }
        if let Some(kept) = self.retention.deliveries {
            purged += self.purge_deliveries(kept).await?;
        }
        if purged > 0 {
            self.store.drop_remains().await?;
        }
        Ok(purged)
    }

    async fn purge_invitations(&self, kept: Duration) -> ServiceResult<usize> {
        let mut purged = 0;
        for _ in 0..BATCHES {
            let gone = self
                .store
                .write(move |conn| {
                    let now = conn.now()?;
                    let gone = retention::purge_invitations(conn, now.before(kept), BATCH)?;
                    for (tenant, count) in &gone {
                        let detail = count.to_string();
                        let event = Event {
                            event: "invitations.purged",
                            tenant,
                            invitation: None,
                            account: None,
                            detail: &detail,
                        };
                        record(conn, &Actor::system(), now, &event)?;
                    }
                    Ok::<_, ServiceError>(gone.iter().map(|(_, count)| count).sum::<i64>())
                })
                .await?;
            purged += usize::try_from(gone).unwrap_or_default();
            if gone < BATCH {
                break;
            }
        }
        Ok(purged)
    }

    async fn purge_deliveries(&self, kept: Duration) -> ServiceResult<usize> {
        let mut purged = 0;
        for _ in 0..BATCHES {
            let gone = self
                .store
                .write(move |conn| {
                    let until = conn.now()?.before(kept);
                    Ok::<_, ServiceError>(retention::purge_deliveries(conn, until, BATCH)?)
                })
                .await?;
            purged += gone;
            if i64::try_from(gone).is_ok_and(|gone| gone < BATCH) {
                break;
            }
        }
        Ok(purged)
    }
}
