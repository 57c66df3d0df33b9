//! The parts of a message that come after its first one: each goes out once, with patience. What stands already is never
//! sent again because of what comes after it.

use crate::ChatError;
use crate::insist::Patience;

/// Sends parts one after the other. Never fails: the first part is there, and says what the message is about.
pub async fn rest<P, S, F>(parts: impl IntoIterator<Item = P, IntoIter: Send>, send: S)
where
    P: Clone + Send + Sync,
    S: Fn(P) -> F + Send + Sync,
    F: Future<Output = Result<(), ChatError>> + Send,
{
    for part in parts {
        let mut patience = Patience::default();
        while let Err(error) = send(part.clone()).await {
            let wait = match &error {
                ChatError::MayHaveLanded(_) => None,
                other => patience.after(other),
            };
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => {
                    tracing::warn!(%error, "a further part of a message did not go out, or it is not known whether it did");
                    break;
                }
            }
        }
    }
}
