//! The form of the cases: one JSON object a line.

use super::truth::Fold;
use anyhow::Context;
use sandbox::azure::Reply;
use serde::Deserialize;
use std::path::Path;

/// The cases that come with the program.
const BUILT_IN: [(&str, &str); 4] = [
    ("queries.jsonl", include_str!("../../../eval/queries.jsonl")),
    ("reading.jsonl", include_str!("../../../eval/reading.jsonl")),
    ("changing.jsonl", include_str!("../../../eval/changing.jsonl")),
    ("trust.jsonl", include_str!("../../../eval/trust.jsonl")),
];

/// All cases.
#[derive(Default)]
pub(super) struct Cases {
    /// Queries, which need no model.
    pub queries: Vec<QueryCase>,
    /// Conversations.
    pub talks: Vec<Case>,
}

/// A query as models write it, and what it must bring.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryCase {
    /// Name of the case.
    pub id: String,
    /// The sheet that is asked.
    pub sheet: String,
    /// The query.
    pub sql: String,
    /// The figure, by plain code.
    #[serde(default)]
    pub figure: Option<Fold>,
    /// The figure as people see it.
    #[serde(default)]
    pub looks: Option<String>,
    /// The column whose unit people see beside the figure; with none it has none. Of cases that are made for columns.
    #[serde(skip)]
    pub unit_of: Option<Option<String>>,
    /// How many results, by plain code.
    #[serde(default)]
    pub count: Option<Fold>,
    /// Words of the error, which say what to write instead.
    #[serde(default)]
    pub error: Option<String>,
}

/// A conversation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// Name of the case.
    pub id: String,
    /// What it is about.
    pub topic: String,
    /// The sheet of the thread.
    #[serde(default = "plan")]
    pub sheet: String,
    /// What happens, in order.
    pub turns: Vec<Turn>,
    /// What is different in the sheets at the end; nothing else may be.
    #[serde(default)]
    pub end: Vec<Change>,
    /// Whether the right outcome is that the bot says what it cannot do, or doubts.
    #[serde(default)]
    pub says_so: bool,
}

/// Something that a person says or presses, what the model answers, and what must be seen.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Turn {
    /// Words.
    #[serde(default)]
    pub say: Option<String>,
    /// The label of a button in what was shown last.
    #[serde(default)]
    pub press: Option<String>,
    /// What a scripted model answers, in order.
    #[serde(default)]
    pub model: Vec<Reply>,
    /// Figures that must be seen.
    #[serde(default)]
    pub figures: Vec<Fold>,
    /// Words that must be seen.
    #[serde(default)]
    pub shows: Vec<String>,
    /// Words that must not be seen.
    #[serde(default)]
    pub hides: Vec<String>,
    /// Words that are waited for, such as the last ones of a job.
    #[serde(default)]
    pub until: Option<String>,
}

/// A difference between the sheets before and after.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Change {
    /// Sheet, row, column, and what it shows now.
    Cell(String, String, String, String),
    /// Sheet and name of a row that was added.
    Added(String, String),
    /// Sheet and name of a row that is gone.
    Gone(String, String),
    /// Sheet and title of a column that was added.
    Column(String, String),
    /// Sheet and title of a column of which something else is another: type, options, description.
    ColumnIsOther(String, String),
    /// Sheet, row, and the row that it stands under from now on; nothing for the outermost.
    Under(String, String, String),
    /// A sheet whose rows stand in another order.
    Order(String),
    /// Sheet and words of a comment that was written.
    Comment(String, String),
}

fn plan() -> String {
    "Project Plan".into()
}

/// The cases that come with the program.
pub(super) fn built_in() -> anyhow::Result<Cases> {
    let mut cases = Cases::default();
    BUILT_IN.iter().try_for_each(|(name, text)| cases.read(name, text))?;
    Ok(cases)
}

/// The cases of a folder.
pub(super) fn from_folder(folder: &Path) -> anyhow::Result<Cases> {
    let listed = std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut files: Vec<_> =
        listed.filter_map(|entry| Some(entry.ok()?.path())).filter(|p| p.extension().is_some_and(|e| e == "jsonl")).collect();
    files.sort();
    anyhow::ensure!(!files.is_empty(), "{} holds no *.jsonl", folder.display());
    let mut cases = Cases::default();
    for file in files {
        let text = std::fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        cases.read(&file.display().to_string(), &text)?;
    }
    Ok(cases)
}

impl Cases {
    fn read(&mut self, name: &str, text: &str) -> anyhow::Result<()> {
        for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#')) {
            let at = || format!("{name}, line {}", n + 1);
            if line.contains("\"sql\"") && !line.contains("\"turns\"") {
                self.queries.push(serde_json::from_str(line).with_context(at)?);
            } else {
                self.talks.push(serde_json::from_str(line).with_context(at)?);
            }
        }
        Ok(())
    }
}
