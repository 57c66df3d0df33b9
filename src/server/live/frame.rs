//! Frames: written once in each packing, sent to everybody who has subscribed.

use axum::extract::ws::{Message, Utf8Bytes};
use bytes::Bytes;
use serde_json::Value;
use std::sync::OnceLock;

/// How values are written on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// JSON in text frames.
    Json,
    /// MessagePack in binary frames.
    MessagePack,
}

impl Packing {
    /// The subprotocols, by preference.
    pub const PROTOCOLS: [&'static str; 2] = ["chatsheet.msgpack", "chatsheet.json"];

    /// The packing of a subprotocol; JSON when none was asked for.
    pub fn of(protocol: Option<&str>) -> Self {
        if protocol == Some(Self::PROTOCOLS[0]) { Self::MessagePack } else { Self::Json }
    }

    /// A value as a message.
    pub fn message(self, value: &Value) -> anyhow::Result<Message> {
        Ok(match self {
            Self::Json => Message::Text(serde_json::to_string(value)?.into()),
            Self::MessagePack => Message::Binary(rmp_serde::to_vec_named(value)?.into()),
        })
    }
}

/// Something that happened, for everybody who has subscribed to its topic.
pub(super) struct Frame {
    value: Value,
    text: OnceLock<Utf8Bytes>,
    packed: OnceLock<Bytes>,
}

impl Frame {
    /// What happened, and what its subscribers call its topic.
    pub fn new(topic: &str, mut value: Value) -> Self {
        value["topic"] = topic.into();
        Self { value, text: OnceLock::new(), packed: OnceLock::new() }
    }

    /// The frame as a message; written by the first who needs it.
    pub fn message(&self, packing: Packing) -> anyhow::Result<Message> {
        Ok(match packing {
            Packing::Json => match self.text.get() {
                Some(text) => Message::Text(text.clone()),
                None => Message::Text(self.text.get_or_init(|| Utf8Bytes::from(self.value.to_string())).clone()),
            },
            Packing::MessagePack => match self.packed.get() {
                Some(packed) => Message::Binary(packed.clone()),
                None => {
                    let packed = Bytes::from(rmp_serde::to_vec_named(&self.value)?);
                    Message::Binary(self.packed.get_or_init(|| packed).clone())
                }
            },
        })
    }
}
