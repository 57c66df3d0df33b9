//! ChatSheetAI: work with Smartsheet sheets from the chat thread you are already in.
//!
//! Reading order: an event comes in through an adapter and [`bot`] takes it; [`llm`] picks functions,
//! [`tools`] carry them out on a [`sheet`] or prepare [`changes`] and [`jobs`]; [`smartsheet`] is the far side and
//! [`store`] what is remembered. [`app`] wires it all together.

pub mod access;
pub mod accounts;
pub mod app;
pub mod bot;
pub mod changes;
pub mod cli;
pub mod clock;
pub mod config;
pub mod error;
pub mod events;
pub mod jobs;
pub mod links;
pub mod llm;
pub mod locality;
pub mod server;
pub mod sheet;
pub mod smartsheet;
pub mod store;
pub mod tools;
pub mod vault;
pub mod watch;
