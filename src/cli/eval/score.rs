//! What became of the cases, and the table of it.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Figures, cells and words are as they must be.
    Right,
    /// They are not, and people are told so: an error, a question back, a doubt.
    SaysSo(String),
    /// They are not, and nobody is told.
    Wrong(String),
    /// There was no answer.
    Crashed(String),
}

/// A case that was played.
#[derive(Clone, Debug)]
pub(super) struct Score {
    pub id: String,
    pub topic: String,
    pub verdict: Verdict,
    /// Whether the right outcome was to say so.
    pub says_so: bool,
    /// Requests to the model, its tokens (read, written), and answers with figures that stand nowhere.
    pub calls: usize,
    pub tokens: (u64, u64),
    pub doubted: usize,
    /// How often it was played, and how often it was as the case wants it.
    pub runs: usize,
    pub expected: usize,
}

impl Score {
    /// A case that was played several times: right when it was right every time.
    pub fn of_all(runs: Vec<Self>) -> Self {
        let expected = runs.iter().filter(|run| run.is_expected()).count();
        let (count, calls) = (runs.len(), runs.iter().map(|run| run.calls).sum());
        let tokens = runs.iter().fold((0, 0), |sum, run| (sum.0 + run.tokens.0, sum.1 + run.tokens.1));
        let doubted = runs.iter().map(|run| run.doubted).sum();
        let rank = |run: &Self| match run.verdict {
            _ if run.is_expected() => 0,
            Verdict::Right | Verdict::SaysSo(_) => 1,
            Verdict::Wrong(_) => 2,
            Verdict::Crashed(_) => 3,
        };
        let unplayed = || Self::new(String::new(), "", Verdict::Crashed("it was not played".into()), false);
        let worst = runs.into_iter().max_by_key(rank).unwrap_or_else(unplayed);
        Self { calls, tokens, doubted, runs: count, expected, ..worst }
    }

    /// A case that was played once, and took no model.
    pub fn new(id: String, topic: &str, verdict: Verdict, says_so: bool) -> Self {
        let score = Self { id, topic: topic.to_owned(), verdict, says_so, calls: 0, tokens: (0, 0), doubted: 0, runs: 1, expected: 0 };
        Self { expected: usize::from(score.is_expected()), ..score }
    }

    /// Whether it is as the case wants it.
    pub fn is_expected(&self) -> bool {
        match self.verdict {
            Verdict::Right => true,
            Verdict::SaysSo(_) => self.says_so,
            Verdict::Wrong(_) | Verdict::Crashed(_) => false,
        }
    }

    fn word(&self) -> (&'static str, &str) {
        match &self.verdict {
            Verdict::Right => ("right", ""),
            Verdict::SaysSo(why) => ("says so", why),
            Verdict::Wrong(why) => ("WRONG", why),
            Verdict::Crashed(why) => ("CRASHED", why),
        }
    }

    /// For people.
    pub fn line(&self) -> String {
        let (word, why) = self.word();
        format!("{word:<8} {:<28} {}", self.id, why.replace('\n', " / "))
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let (word, why) = self.word();
        json!({
            "id": self.id, "topic": self.topic, "verdict": word.to_lowercase(), "why": why, "expected": self.is_expected(),
            "calls": self.calls, "promptTokens": self.tokens.0, "completionTokens": self.tokens.1, "doubted": self.doubted,
        })
    }
}

/// The table: a line a topic, and what was spent.
pub(super) fn table(scores: &[Score], model: &str) -> String {
    let mut topics: BTreeMap<&str, [usize; 5]> = BTreeMap::new();
    for score in scores {
        let counts = topics.entry(&score.topic).or_default();
        counts[0] += 1;
        counts[match score.verdict {
            Verdict::Right => 1,
            Verdict::SaysSo(_) => 2,
            Verdict::Wrong(_) => 3,
            Verdict::Crashed(_) => 4,
        }] += 1;
    }
    let line = |name: &str, counts: &[usize; 5]| {
        format!("{name:<14} {:>5} {:>6} {:>8} {:>6} {:>8}\n", counts[0], counts[1], counts[2], counts[3], counts[4])
    };
    let mut table = format!("{:<14} {:>5} {:>6} {:>8} {:>6} {:>8}\n", "topic", "cases", "right", "says so", "WRONG", "crashed");
    let mut all = [0; 5];
    for (topic, counts) in &topics {
        table.push_str(&line(topic, counts));
        all.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
    }
    table.push_str(&line("all", &all));
    let talks: Vec<&Score> = scores.iter().filter(|s| s.calls > 0).collect();
    if !talks.is_empty() {
        let per = |n: u64| n as f64 / talks.len() as f64;
        let tokens = talks.iter().fold((0, 0), |sum, s| (sum.0 + s.tokens.0, sum.1 + s.tokens.1));
        table.push_str(&format!(
            "model {model}: {:.1} calls a conversation, {:.0} tokens read and {:.0} written, {} answers with figures that stand nowhere\n",
            per(talks.iter().map(|s| s.calls as u64).sum()),
            per(tokens.0),
            per(tokens.1),
            talks.iter().map(|s| s.doubted).sum::<usize>()
        ));
    }
    let (played, expected) = scores.iter().fold((0, 0), |sum, s| (sum.0 + s.runs, sum.1 + s.expected));
    if played > scores.len() {
        let every_time = scores.iter().filter(|s| s.expected == s.runs).count();
        table.push_str(&format!(
            "{played} runs: as wanted in {:.1} % of them, and every time in {:.1} % of the cases\n",
            100.0 * expected as f64 / played as f64,
            100.0 * every_time as f64 / scores.len() as f64
        ));
    }
    if model == "script" {
        table.push_str("A script answers in the place of the model: this tries what is around it, not how good a model is.\n");
    }
    table
}
