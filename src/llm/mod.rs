//! The model: Azure OpenAI (or any OpenAI-compatible server) asked for chat completions with tools,
//! streamed, with patience where it helps and errors named after what the caller does next.

mod deployment;
mod endpoint;
mod error;
mod habits;
mod json;
mod login;
mod model;
mod pace;
mod responses;
mod stream;

pub use deployment::Memory;
pub use endpoint::Endpoint;
pub use error::Error;
pub use login::{Entra, Identity, Login, Metadata};
pub use model::{Calling, Model, ModelSettings, Prices, Spent};
pub use stream::{Answer, ToolCall, Usage};
