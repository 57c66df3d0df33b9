//! The model: Azure OpenAI (or any OpenAI-compatible server) asked for chat completions with tools,
//! streamed, with patience where it helps and errors named after what the caller does next.

mod capabilities;
mod endpoint;
mod error;
mod json;
mod model;
mod pace;
mod stream;

pub use endpoint::Endpoint;
pub use error::Error;
pub use model::{Model, ModelSettings};
pub use stream::{Answer, ToolCall, Usage};
