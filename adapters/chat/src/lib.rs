//! The port: the few types and traits through which the conversation and every chat platform meet.
//!
//! Inbound is one durable [`Inbox::accept`]; outbound is one small trait, [`Chat`]. What a platform
//! cannot do is data ([`Limits`]), never an optional method.
#![warn(missing_docs)]

mod beside;
pub mod contract;
mod form;
mod inbox;
mod incoming;
mod insist;
mod markdown;
mod message;
mod outgoing;
mod pace;
mod rest;
pub mod text;

pub use beside::{Beside, Carried, Media, Quote};
pub use form::{Field, Form};
pub use inbox::{Accepted, Inbox, InboxError};
pub use incoming::{
    AMENDED_WITHIN_MS, Addressed, Anchor, Incoming, MentionKind, Mentioned, MessageRef, Platform, Sender, Standing, ThreadKey, What,
};
pub use insist::{insist, insist_alone};
pub use markdown::{LinkPolicy, Markdown, Node, Span, escape};
pub use message::{Align, Block, Button, ButtonStyle, Citation, Column, Message, Progress, TableBlock, TableCell};
pub use outgoing::{Chat, ChatError, Chats, File, Limits, Profile, Source};
pub use pace::{Overall, Pace, Rate};
pub use rest::rest;
