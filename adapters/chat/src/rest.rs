//! The parts of a message that come after its first one: each goes out once, with patience. What stands already is never
//! sent again because of what comes after it.

use crate::ChatError;
use crate::insist::{PATIENCE, TRIES, wait_after};
use std::time::Duration;

/// Sends parts one after the other. Never fails: the first part is there, and says what the message is about.
pub async fn rest<P, S, F>(parts: impl IntoIterator<Item = P, IntoIter: Send>, send: S)
where
    P: Clone + Send + Sync,
    S: Fn(P) -> F + Send + Sync,
    F: Future<Output = Result<(), ChatError>> + Send,
{
    for part in parts {
        let (mut tries, mut waited) = (0, Duration::ZERO);
        while let Err(error) = send(part.clone()).await {
            tries += 1;
            let wait = match &error {
                ChatError::MayHaveLanded(_) => None,
                other => wait_after(other, tries),
            };
            waited += wait.unwrap_or_default();
            match wait {
                Some(wait) if tries < TRIES && waited <= PATIENCE => tokio::time::sleep(wait).await,
                _ => {
                    tracing::warn!(%error, "a further part of a message did not go out, or it is not known whether it did");
                    break;
                }
            }
        }
    }
}
