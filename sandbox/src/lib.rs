//! The far side in small: Smartsheet, Azure OpenAI and chat platforms as the bot meets them, over real HTTP
//! on loopback. Written from the documented wire formats; shares no type with the bot.

pub mod azure;
pub mod crowd;
pub mod discord;
pub mod fault;
mod files;
mod serve;
pub mod slack;
pub mod smartsheet;
pub mod teams;
pub mod telegram;

pub use serve::Running;
