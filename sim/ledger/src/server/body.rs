//! The body of an answer, handed over in pieces: what the client has not taken yet stays here, and is counted for as long.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use crate::{call_limits::Held, rpc::Answer};

/// Bytes that the connection takes over at a time.
const PIECE: usize = 64 * 1024;

/// The rest of an answer.
pub(super) struct AnswerBody {
    /// In reverse.
    pieces: Vec<Bytes>,
    left: u64,
    #[expect(dead_code, reason = "it is held, not used")]
    held: Vec<Held>,
}

impl AnswerBody {
    pub(super) fn new(answer: Answer) -> Self {
        let Answer { pieces, held } = answer;
        let left = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self { pieces: pieces.into_iter().rev().map(Bytes::from).collect(), left, held }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(piece) = self.pieces.last_mut() else { return Poll::Ready(None) };
        let next = piece.split_to(piece.len().min(PIECE));
        if piece.is_empty() {
            self.pieces.pop();
        }
        self.left -= next.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(next))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
