//! What people experience, told as stories against the sandbox over real HTTP.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a story fails by panicking")]

mod abuse;
mod accounts;
mod api;
mod asking;
mod changing;
mod command_line;
mod crash_trials;
mod crashes;
mod crowds;
mod demo_questions;
mod dice;
mod doubts;
mod faults;
mod functions;
mod gate;
mod in_slack;
mod job_endings;
mod job_engine;
mod jobs;
mod links;
mod measured;
mod oracle;
mod platforms;
mod privately;
mod queries;
mod safety;
mod slack_beyond_threads;
mod slack_workspaces;
mod smartsheet_api;
mod store;
mod store_jobs;
mod undo_trials;
mod watching;
mod world;
