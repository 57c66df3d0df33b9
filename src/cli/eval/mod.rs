//! `eval`: how right the answers are, case by case: figures, cells, what is said and what is not.
//!
//! Truth is worked out from the cells of the stand-in by plain code, or stands in the case. Scripted cases try our own half (queries,
//! previews, checks, undo) on what models write; they say nothing about how good a model is.

mod case;
mod engine;
mod score;
mod stage;
mod tables;
mod truth;

use super::FAILED;
use crate::config::Config;
use crate::llm::Endpoint;
use anyhow::Context;
use score::{Score, Verdict};
use stage::ModelOf;
use std::path::PathBuf;
use std::process::ExitCode;

/// What the command line says.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A folder of cases (*.jsonl), instead of those that come with the program.
    #[arg(long)]
    cases: Option<PathBuf>,
    /// A folder of tables (*.csv): each becomes a sheet, and what is worked out of its columns is held against plain code. Asks no model.
    #[arg(long, conflicts_with_all = ["cases", "runs", "model"])]
    tables: Option<PathBuf>,
    /// Who answers: script (what stands in the cases), local=URL (an OpenAI-compatible server, local=URL#MODEL), or live (the model of the settings).
    #[arg(long, default_value = "script")]
    model: String,
    /// How often each conversation is held; a case is right when it is right every time.
    #[arg(long, default_value_t = 1)]
    runs: usize,
    /// One JSON object a line, for programs.
    #[arg(long)]
    json: bool,
    /// Only cases whose id or topic contains this.
    #[arg(long)]
    only: Option<String>,
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let model = model_of(&arguments.model, config)?;
    let cases = match &arguments.cases {
        Some(folder) => case::from_folder(folder)?,
        None => case::built_in()?,
    };
    let wanted =
        |id: &str, topic: &str| arguments.only.as_ref().is_none_or(|only| id.contains(only.as_str()) || topic.contains(only.as_str()));
    let mut scores = Vec::new();
    let mut tell = |score: Score| {
        if arguments.json {
            println!("{}", score.json());
        } else if !matches!(score.verdict, Verdict::Right) && !score.is_expected() {
            println!("{}", score.line());
        }
        scores.push(score);
    };
    if let Some(folder) = &arguments.tables {
        tables::run(folder).await?.into_iter().for_each(&mut tell);
    } else if matches!(model, ModelOf::Script) {
        // Without a model there is nothing that a model could change.
        for score in engine::run(&cases.queries, arguments.cases.is_none(), &wanted).await? {
            tell(score);
        }
    }
    let talks = cases.talks.iter().filter(|case| arguments.tables.is_none() && wanted(&case.id, &case.topic));
    for case in talks {
        let mut runs = Vec::new();
        for _ in 0..arguments.runs.max(1) {
            runs.push(stage::play(case, &model).await);
        }
        tell(Score::of_all(runs));
    }
    anyhow::ensure!(!scores.is_empty(), "no case is meant by {:?}", arguments.only.unwrap_or_default());
    if !arguments.json {
        print!("{}", score::table(&scores, &arguments.model));
    }
    // A model may know less than its cases ask for; how often it is wrong without a word stands in the table.
    let passed = match model {
        ModelOf::Script => scores.iter().all(Score::is_expected),
        ModelOf::At(_) => scores.iter().all(|s| !matches!(s.verdict, Verdict::Crashed(_))),
    };
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn model_of(word: &str, config: &Config) -> anyhow::Result<ModelOf> {
    match word.split_once('=') {
        None if word == "script" => Ok(ModelOf::Script),
        None if word == "live" => {
            anyhow::ensure!(!config.models.is_empty(), "no model is set: fill in AZURE_OPENAI_* or OPENAI_BASE_URL and OPENAI_MODEL");
            Ok(ModelOf::At(config.models.clone()))
        }
        Some(("local", url)) => {
            let (url, name) = url.split_once('#').unwrap_or((url, "local"));
            url::Url::parse(url).with_context(|| format!("{url} is not a URL"))?;
            Ok(ModelOf::At(vec![Endpoint::compatible(url, name, secrecy::SecretString::default())]))
        }
        _ => anyhow::bail!("unknown model '{word}': use script, local=URL or live"),
    }
}
