//! The body of a write, which goes out only while the right to write holds.

use super::pace::Hold;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Bytes that are handed to the connection at a time.
const PIECE: usize = 16 << 10;

/// A process that slept in the middle of sending must not send the rest: somebody else may have written meanwhile. A request whose body breaks
/// off is carried out by nobody.
pub(super) struct HeldBody {
    rest: Bytes,
    hold: Hold,
}

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
#[error("the right to write to it has run out")]
pub(super) struct RanOut;

impl HeldBody {
    pub fn new(bytes: Bytes, hold: Hold) -> Self {
        Self { rest: bytes, hold }
    }
}

impl Body for HeldBody {
    type Data = Bytes;
    type Error = RanOut;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, RanOut>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        if !self.hold.holds() {
            return Poll::Ready(Some(Err(RanOut)));
        }
        let piece = PIECE.min(self.rest.len());
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::Instant;

    async fn frame(body: &mut HeldBody) -> Option<Result<usize, RanOut>> {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await?;
        Some(frame.map(|frame| frame.into_data().map(|data| data.len()).unwrap_or_default()))
    }

    #[tokio::test]
    async fn what_is_not_sent_when_the_right_ends_is_never_sent() {
        let hold = Hold::until(Instant::now() + Duration::from_secs(15));
        let mut body = HeldBody::new(Bytes::from(vec![b'x'; PIECE * 2 + 7]), hold.clone());
        assert_eq!(body.size_hint().exact(), Some(PIECE as u64 * 2 + 7));
        assert!(matches!(frame(&mut body).await, Some(Ok(PIECE))));
        hold.set(Instant::now());
        assert!(matches!(frame(&mut body).await, Some(Err(RanOut))));
        hold.set(Instant::now() + Duration::from_secs(15));
        assert!(matches!(frame(&mut body).await, Some(Ok(PIECE))));
        assert!(matches!(frame(&mut body).await, Some(Ok(7))));
        assert!(frame(&mut body).await.is_none());
    }
}
