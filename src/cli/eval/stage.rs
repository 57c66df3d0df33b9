//! Plays a conversation: the whole program over its web platform, in this process, with the stand-in of Smartsheet on a fixed day.

use super::case::{Case, Change, Turn};
use super::score::{Score, Verdict};
use super::truth::{self, Fold, Picture, Rows};
use crate::app::App;
use crate::bot::tells;
use crate::cli::folder::Folder;
use crate::clock::Clock;
use crate::config::Config;
use crate::llm::Endpoint;
use crate::server::Web;
use crate::sheet::SheetId;
use crate::store::Store;
use anyhow::Context;
use chat::{Addressed, Inbox, Incoming, Sender, ThreadKey, What};
use sandbox::azure::{self, Mode};
use sandbox::smartsheet;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The moment of all cases: a Wednesday.
pub(super) const NOW: &str = "2026-11-25T10:30:00Z";
/// How long something is waited for, of a model that thinks slowly, too.
const PATIENCE: Duration = Duration::from_secs(600);
/// Who talks.
const PERSON: &str = "eval";

/// Who answers.
pub(super) enum ModelOf {
    /// What stands in the cases.
    Script,
    /// A model at these endpoints.
    At(Vec<Endpoint>),
}

/// The whole program, and the far side.
struct Stage {
    sheets: smartsheet::Smartsheet,
    azure: azure::Azure,
    app: App,
    clock: Clock,
    thread: ThreadKey,
    /// The newest change in the thread that was read.
    revision: i64,
    said: usize,
    _folder: Folder,
}

/// What was seen after something was said.
#[derive(Default)]
struct Seen {
    text: String,
    buttons: Vec<(String, String)>,
    /// The running text alone: no tables, and none of the small lines below them.
    words: String,
    /// The small lines.
    notes: String,
    links: Vec<String>,
}

/// Plays a case and scores it.
pub(super) async fn play(case: &Case, model: &ModelOf) -> Score {
    let mut score = Score::new(case.id.clone(), &case.topic, Verdict::Right, case.says_so);
    let mut stage = match Stage::open(case, model).await {
        Ok(stage) => stage,
        Err(error) => return Score { verdict: Verdict::Crashed(format!("{error:#}")), ..score },
    };
    score.verdict = stage.verdict(case, matches!(model, ModelOf::Script), &mut score.doubted).await;
    let spent = stage.app.model.spent();
    (score.calls, score.tokens) = (spent.calls, (spent.read, spent.written));
    stage.app.shut_down().await;
    score
}

impl Stage {
    async fn open(case: &Case, model: &ModelOf) -> anyhow::Result<Self> {
        let (folder, clock) = (Folder::make()?, Clock::manual(NOW.parse()?));
        let sheets = smartsheet::Smartsheet::start(smartsheet::Options { today: clock.today(), ..smartsheet::Options::default() }).await?;
        let azure = azure::Azure::start(azure::Options { mode: Mode::Script(Vec::new()), ..azure::Options::default() }).await?;
        let mut settings = [sheets.settings(), azure.settings()].concat();
        settings.extend([("LISTEN", "127.0.0.1:0".to_owned()), ("JOB_CONCURRENCY", "1".to_owned())]);
        let read = Config::read(&|name| settings.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()));
        let mut config = read.map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
        if let ModelOf::At(endpoints) = model {
            config.models.clone_from(endpoints);
        }
        let store = Store::connect(&format!("sqlite://{}", folder.0.join("eval.db").display())).await?;
        let app = App::start_with_store(&config, clock.clone(), Vec::new(), store).await?;
        let thread = Web::thread(PERSON, "case");
        let id = sheets.world().sheet_id(&case.sheet).with_context(|| format!("there is no sheet {:?}", case.sheet))?;
        app.store.bind_sheet(&thread, &Web::anchor(&thread), SheetId(id), &case.sheet, clock.now()).await?;
        Ok(Self { sheets, azure, app, clock, thread, revision: 0, said: 0, _folder: folder })
    }

    async fn verdict(&mut self, case: &Case, scripted: bool, doubted: &mut usize) -> Verdict {
        let before = self.pictures();
        let (mut wrong, mut excused, mut last) = (Vec::new(), false, Seen::default());
        for turn in &case.turns {
            last = match self.happen(turn, &last).await {
                Ok(seen) => seen,
                // A model that did not propose leaves nothing to press.
                Err(error) if turn.press.is_some() => {
                    wrong.push(format!("{error:#}"));
                    break;
                }
                Err(error) => return Verdict::Crashed(format!("{error:#}")),
            };
            if last.text.contains("Something went wrong on my side") {
                return Verdict::Crashed(last.text);
            }
            *doubted += usize::from(last.text.contains("Not found in the sheet"));
            let missing = self.missing(case, turn, &last.text, scripted);
            excused = last.says_so();
            wrong.extend(self.foreign(&last.links).into_iter().map(|link| format!("a link leads to {link}")));
            wrong.extend(missing.into_iter().map(|what| format!("{what}; seen: {}", last.text)));
        }
        let (unwanted, undone) = self.ends(case, &before);
        let harm = !unwanted.is_empty();
        wrong.splice(0..0, unwanted.into_iter().chain(undone));
        // What is in the sheet and should not be is not excused by words; what is not done may be told.
        if harm {
            return Verdict::Wrong(wrong.join("; "));
        }
        match wrong.is_empty() {
            true if case.says_so && !excused => Verdict::Wrong(format!("nobody is told; seen: {}", last.text)),
            true if case.says_so => Verdict::SaysSo(String::new()),
            true => Verdict::Right,
            false if excused => Verdict::SaysSo(wrong.join("; ")),
            false => Verdict::Wrong(wrong.join("; ")),
        }
    }

    /// Brings in what somebody says or presses, and reads what is shown for it.
    async fn happen(&mut self, turn: &Turn, last: &Seen) -> anyhow::Result<Seen> {
        let what = match (&turn.say, &turn.press) {
            (Some(words), _) => What::Text { text: words.clone() },
            (None, Some(label)) => {
                let found = last.buttons.iter().find(|(known, _)| known == label);
                let (_, action) = found.with_context(|| format!("there is no button {label:?}; seen: {}", last.text))?;
                What::Press { action: action.clone(), message: None }
            }
            (None, None) => anyhow::bail!("a turn has neither \"say\" nor \"press\""),
        };
        self.azure.script(turn.model.iter().cloned());
        self.said += 1;
        let name = format!("eval-{}", self.said);
        let incoming = Incoming {
            delivery_id: name.clone(),
            dedupe_id: name,
            thread: self.thread.clone(),
            anchor: Web::anchor(&self.thread),
            sender: Sender { id: PERSON.into(), name: Some("Lee Park".into()), ..Sender::default() },
            addressed: Addressed::Dm,
            what,
            beside: Vec::new(),
            mentions: Vec::new(),
            amends: false,
            received_at_ms: self.clock.now_ms(),
        };
        let mut events = self.app.events.listen();
        self.app.door.accept(incoming).await.map_err(|e| anyhow::anyhow!("{e}"))?;
        tokio::time::timeout(PATIENCE, self.app.bot.until_idle()).await.context("there was no answer in time")?;
        let mut seen = self.read().await?;
        let wait = async {
            while turn.until.as_ref().is_some_and(|words| !seen.text.contains(words.as_str())) {
                let _ = events.recv().await;
                let more = self.read().await?;
                seen.text.push_str(&more.text);
                seen.words.push_str(&more.words);
                seen.notes.push_str(&more.notes);
                seen.buttons.extend(more.buttons);
                seen.links.extend(more.links);
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, wait).await.context("what is waited for was not seen")??;
        Ok(seen)
    }

    /// What was shown or changed since it was last read.
    async fn read(&mut self) -> anyhow::Result<Seen> {
        let posts = self.app.store.posts_after(&self.thread.storage_key(), self.revision, 100).await?;
        self.revision = posts.last().map_or(self.revision, |post| post.revision);
        let shown = || posts.iter().filter(|post| post.author.is_none() && !post.partial);
        let text = shown().filter_map(|post| post.body["text"].as_str()).map(|text| format!("{}\n", without_links(text))).collect();
        let blocks: Vec<&Value> = shown().flat_map(|post| post.body["blocks"].as_array().into_iter().flatten()).collect();
        let of =
            |kind: &str| blocks.iter().filter(|block| block["type"] == kind).map(|block| format!("{}\n", texts(block).concat())).collect();
        let (words, notes): (String, String) = (of("text"), of("note"));
        let links = blocks.iter().flat_map(|block| found(block, "link")).collect();
        let buttons = blocks.iter().flat_map(|block| block["buttons"].as_array().into_iter().flatten());
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let buttons = buttons.map(|button| (word(&button["label"]), word(&button["action"]))).collect();
        Ok(Seen { text, buttons, words, notes, links })
    }

    /// What should have been seen and was not, or was and should not.
    fn missing(&self, case: &Case, turn: &Turn, seen: &str, scripted: bool) -> Vec<String> {
        let mut all = Vec::new();
        for fold in &turn.figures {
            match self.figure(case, fold) {
                Some(figure) if tells(seen, figure) => {}
                Some(figure) => all.push(format!("{figure} is not told")),
                None => all.push("the case asks for a figure that there is not".into()),
            }
        }
        // The very words are those of the script.
        let words = turn.shows.iter().filter(|words| scripted && !seen.contains(words.as_str()));
        all.extend(words.map(|words| format!("{words:?} is not seen")));
        all.extend(turn.hides.iter().filter(|words| seen.contains(words.as_str())).map(|words| format!("{words:?} is seen")));
        all
    }

    fn figure(&self, case: &Case, fold: &Fold) -> Option<f64> {
        let sheet = fold.sheet.as_ref().unwrap_or(&case.sheet);
        fold.of(&Rows::of(&self.sheets.world().contents(sheet)))
    }

    /// What is different in the sheets and should not be, and the other way round.
    fn ends(&self, case: &Case, before: &BTreeMap<String, Picture>) -> (Vec<String>, Vec<String>) {
        let (after, none) = (self.pictures(), Picture::default());
        let mut different = BTreeSet::new();
        let sheets: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for sheet in sheets {
            different.extend(truth::differences(sheet, before.get(sheet).unwrap_or(&none), after.get(sheet).unwrap_or(&none)));
        }
        let wanted: BTreeSet<String> = case.end.iter().map(truth::words).collect();
        let unwanted = different.difference(&wanted).cloned().collect();
        // Cells of rows that were added stand in no difference.
        let in_place = |change: &&Change| match change {
            Change::Cell(sheet, row, column, value) => {
                after.get(sheet).and_then(|picture| truth::cell(&picture.sheet, row, column)).as_deref() != Some(value.as_str())
            }
            other => !different.contains(&truth::words(other)),
        };
        let undone = case.end.iter().filter(in_place).map(|change| format!("not so: {}", truth::words(change))).collect();
        (unwanted, undone)
    }

    fn pictures(&self) -> BTreeMap<String, Picture> {
        let world = self.sheets.world();
        let picture = |name: &String| Picture { sheet: world.picture(name), comments: world.comments(name) };
        world.names().iter().map(|name| (name.clone(), picture(name))).collect()
    }

    /// Links that lead neither to the sheet nor to its page: nobody is led anywhere by what a cell or a model says.
    fn foreign(&self, links: &[String]) -> Vec<String> {
        let ours = [self.sheets.base_url(), format!("http://{}", self.app.address)];
        let of = |url: &str| url::Url::parse(url).ok().map(|url| (url.host_str().map(str::to_owned), url.port()));
        let ours: Vec<_> = ours.iter().filter_map(|url| of(url)).collect();
        links.iter().filter(|link| of(link).is_none_or(|there| !ours.contains(&there))).cloned().collect()
    }
}

/// A text without the addresses behind its words, which are different every time.
fn without_links(text: &str) -> String {
    let mut parts = text.split(" (http");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once(')').map_or("", |(_, rest)| rest))
}

/// The words of a block, in order.
fn texts(block: &Value) -> Vec<String> {
    found(block, "text")
}

/// What stands under this name anywhere in a value, as text.
fn found(value: &Value, name: &str) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(key, inner)| match inner.as_str() {
                Some(text) if key == name => vec![text.to_owned()],
                _ => found(inner, name),
            })
            .collect(),
        Value::Array(all) => all.iter().flat_map(|one| found(one, name)).collect(),
        _ => Vec::new(),
    }
}

/// What the program itself says of an answer that is none, or that it doubts.
const TOLD: [&str; 7] = [
    "broke off",
    "I could not come to an answer",
    "does not answer",
    "no row has",
    "No row has",
    "I have no answer",
    "Which one do you mean",
];
/// Small lines that tell of the sheet, and doubt nothing.
const OF_THE_SHEET: [&str; 3] = [" holds text", " is empty in ", " is left out there"];
/// How a model says that it does not know.
const UNSURE: [&str; 15] = [
    "could not",
    "cannot",
    "can't",
    "I do not",
    "I don't",
    "did not",
    "Which ",
    "which ",
    "Please ",
    "not possible",
    "unable",
    "no such",
    "here is no",
    "orry",
    "refused",
];

impl Seen {
    /// Whether people are told that this is no answer, or that it is doubted. Words of a model count only where it tells no figure beside
    /// them: “Sorry, I cannot list them; there are 8” is an answer.
    fn says_so(&self) -> bool {
        let doubts = |note: &str| note.contains('⚠') && !OF_THE_SHEET.iter().any(|words| note.contains(words));
        let told = TOLD.iter().any(|words| self.words.contains(words) || self.notes.contains(words)) || self.notes.lines().any(doubts);
        let unsure = UNSURE.iter().any(|words| self.words.contains(words));
        told || (unsure && !self.words.chars().any(|c| c.is_ascii_digit()))
    }
}
