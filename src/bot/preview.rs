//! Answers, proposals and outcomes as people see them: tables with links, old -> new, counts, buttons.

use super::figures;
use super::turn::Gathered;
use super::words::{self, capital, count, md, note};
use crate::changes::{CellEdit, Outcome, OutcomeRow, People, Plan, RowEdit, Sample};
use crate::sheet::{Met, Snapshot, Table};
use crate::smartsheet::ColumnSpec;
use crate::store::{Change, Proposal};
use crate::tools::{Made, Shown};
use chat::{Align, Block, Button, ButtonStyle, Citation, Column, Limits, LinkPolicy, Markdown, Message, TableBlock, TableCell, escape};
use jiff::tz::TimeZone;
use std::time::Duration;

/// Letters of a condition in the line under an answer.
const LONGEST_CONDITION: usize = 160;
/// Rows of a preview that are shown.
const SOME: usize = 8;
/// Rows that the record of a change keeps.
const RECORDED: usize = 10;

/// Makes the link to the viewer on whose page these rows of a sheet are marked, where there is a viewer.
pub(super) type Viewer<'a> = dyn Fn(&Snapshot, &[i64]) -> Option<url::Url> + Sync + 'a;

/// What of an answer stands in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// The proposal alone.
    Proposal,
    /// All but the proposal.
    Rest,
}

/// The final message of a turn.
pub(super) fn answer(
    gathered: &Gathered,
    part: Part,
    policy: &LinkPolicy,
    limits: &Limits,
    lifetime: Duration,
    zone: &TimeZone,
    viewer: &Viewer<'_>,
) -> Message {
    let mut blocks = Vec::new();
    let says = part != Part::Proposal && !gathered.text.trim().is_empty();
    let words = Markdown::untrusted(&gathered.text, policy);
    // What people read of the words: a lone “2.” is an empty item of a list.
    let said = words.plain();
    if says {
        blocks.push(Block::Markdown(words));
    }
    // What was looked up for a proposal stands in it.
    let told = |shown: &&Shown| part != Part::Proposal && (shown.rows_wanted || gathered.made.is_none());
    for shown in gathered.shown.iter().filter(told) {
        blocks.extend(query(shown, &said, limits, zone, viewer));
    }
    let sources = if says { sources(&gathered.shown, zone) } else { Vec::new() };
    if part == Part::Rest {
        return Message { by_model: says, sources, ..Message::new(blocks) };
    }
    if let Some(made) = &gathered.made {
        blocks.extend(proposal(made, limits.forms, lifetime, viewer));
        if gathered.one_of_several {
            blocks.push(note(words::one_at_a_time()));
        }
    } else if !gathered.choices.is_empty() {
        if gathered.text.trim().is_empty() {
            blocks.push(md(words::which_one()));
        }
        blocks.push(words::choices(&gathered.choices));
    } else if let Some(error) = gathered.failed.as_ref().filter(|e| !gathered.text.contains(e.as_str())) {
        blocks.push(note(&words::step_failed(error)));
    }
    blocks.extend(gathered.doubts.iter().map(|doubt| note(&doubt.to_people())));
    if gathered.cut_off {
        blocks.push(note(words::answer_cut_off()));
    }
    if blocks.is_empty() {
        blocks.push(md("I have no answer to that. Please put it in other words."));
    }
    Message { by_model: says, sources, ..Message::new(blocks) }
}

/// The sheets that were looked at, each once, with what was asked of it.
fn sources(shown: &[Shown], zone: &TimeZone) -> Vec<Citation> {
    let mut sources: Vec<Citation> = Vec::new();
    for shown in shown {
        let Ok(url) = url::Url::parse(&shown.snapshot.permalink) else { continue };
        if sources.iter().any(|known| known.url == url) {
            continue;
        }
        let at = shown.snapshot.read_at.to_zoned(zone.clone()).strftime("as of %H:%M %Z").to_string();
        let about = [shown.checked.filter.clone(), Some(asked_of(shown)), Some(at)];
        let about = about.into_iter().flatten().collect::<Vec<_>>().join(" · ");
        sources.push(Citation { title: shown.snapshot.name.clone(), url, about });
    }
    sources
}

/// The turn in words, for the next one.
pub(super) fn for_history(gathered: &Gathered) -> String {
    let mut text = gathered.text.clone();
    gathered.doubts.iter().for_each(|doubt| text.push_str(&doubt.for_history()));
    for shown in &gathered.shown {
        // A line each, as it is read again by lines.
        let asked = shown.checked.asked.split_whitespace().collect::<Vec<_>>().join(" ");
        text.push_str(&format!("\n[query of {}: {} -> {}]", shown.snapshot.name, asked, count(shown.result.total, "row")));
    }
    if let Some(made) = &gathered.made {
        text.push_str(&format!("\n[proposed to {}; waits for the person's decision]", words::what(&made.draft.plan)));
    }
    text.trim().to_owned()
}

/// A table (unless the answer is one figure) and the line that says what was queried.
fn query(shown: &Shown, said: &str, limits: &Limits, zone: &TimeZone, viewer: &Viewer<'_>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let visible: Vec<usize> =
        (0..shown.result.columns.len()).filter(|i| !shown.result.columns[*i].is_row_id).take(limits.table_columns).collect();
    let figure = if let ([at], 1) = (visible.as_slice(), shown.result.rows.len()) { Some(*at) } else { None };
    let mut stands = None;
    match figure {
        // A figure that the words tell already stands in the line below them.
        Some(at) => {
            let (title, value) = (escape(&shown.result.columns[at].title), escape(&shown.result.shown(0, at)));
            let told = match shown.result.rows[0][at].as_f64() {
                Some(number) => figures::tells(said, number),
                None => said.contains(&shown.result.shown(0, at)),
            };
            match value.is_empty() {
                true => stands = Some(format!("{title}: no value")),
                false if told => stands = Some(format!("{title}: {value}")),
                false => blocks.push(md(&format!("{title}: **{value}**"))),
            }
        }
        None if shown.result.rows.is_empty() || visible.is_empty() || !shown.rows_wanted => {}
        None => blocks.push(Block::Table(table(shown, &visible, limits.table_rows))),
    }
    let (wanted, total) = (shown.result.wanted, shown.result.total);
    let results = match () {
        () if wanted < total => Some(format!("{wanted} of {}", count(total, "result"))),
        () if figure.is_some() => stands,
        () => Some(count(total, "result")),
    };
    let sheet = format!("[{}]({})", escape(&shown.snapshot.name), shown.snapshot.permalink);
    let rows = row_ids(shown);
    let link =
        viewer(&shown.snapshot, &rows).map(|url| format!("[{}]({url})", if rows.is_empty() { "open the sheet" } else { "see the rows" }));
    let at = shown.snapshot.read_at.to_zoned(zone.clone()).strftime("as of %H:%M %Z").to_string();
    let parts = [results, shown.checked.filter.as_deref().map(condition), Some(asked_of(shown)), Some(sheet), Some(at), link];
    blocks.push(note(&parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")));
    blocks.extend(shown.result.notes.iter().map(|n| note(&format!("⚠️ {}", escape(n)))));
    // Nobody is left with a zero, or with too few rows, because of a word that no cell has.
    let unknown = if shown.result.is_nothing() { &shown.result.hints } else { &shown.result.unknown };
    blocks.extend(unknown.iter().map(|hint| note(&format!("{}.", escape(&capital(hint)).trim_end_matches('.')))));
    blocks
}

/// A condition as it stands in the line: one that is long is told in full by `why?`.
fn condition(filter: &str) -> String {
    let short = chat::text::shorten(filter, LONGEST_CONDITION);
    if short == filter { escape(filter) } else { format!("{} (`why?` tells all of it)", escape(&short)) }
}

/// How an answer was found, for whoever asks why: the query in words and as it ran, the rows it was asked of, what was left out.
pub(super) fn why(shown: &Shown, met: Option<&Met>, zone: &TimeZone) -> String {
    let (snapshot, checked) = (&shown.snapshot, &shown.checked);
    let at = snapshot.read_at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string();
    let mut lines = vec![
        format!("**Sheet**: [{}]({}), version {}, read {at}", escape(&snapshot.name), snapshot.permalink, snapshot.version),
        format!("**Condition**: {}", checked.filter.as_deref().map_or_else(|| "none".to_owned(), escape)),
        format!("**Asked of**: {}", asked_of(shown)),
        format!("**Found**: {}", found(shown)),
    ];
    lines.extend(rows_of(shown, met).map(|rows| format!("**Made of**: {rows}")));
    lines.extend(shown.result.notes.iter().map(|n| format!("**Left out**: {}", escape(n))));
    let listed: String = lines.iter().map(|line| format!("- {line}\n")).collect();
    format!("{listed}\n{}", fenced(&checked.asked))
}

/// What a query has brought: its figure, or how many results.
fn found(shown: &Shown) -> String {
    let visible: Vec<usize> = (0..shown.result.columns.len()).filter(|at| !shown.result.columns[*at].is_row_id).collect();
    match visible.as_slice() {
        [at] if shown.result.total == 1 && shown.result.columns[*at].computed => {
            let value = shown.result.shown(0, *at);
            let title = escape(&shown.result.columns[*at].title);
            if value.is_empty() { format!("{title}: no value") } else { format!("{title}: {}", escape(&value)) }
        }
        _ => count(shown.result.total, "result"),
    }
}

/// The first rows that an answer rests on, by name, and how many there are; nothing where it rests on all.
fn rows_of(shown: &Shown, met: Option<&Met>) -> Option<String> {
    let ids = row_ids(shown);
    let (labels, all): (Vec<String>, usize) = if let Some(met) = met.filter(|_| ids.is_empty()) {
        let rows = shown.snapshot.rows.iter().filter(|row| met.first.contains(&row.number));
        (rows.map(|row| shown.snapshot.label(row)).collect(), met.all)
    } else {
        let rows = ids.iter().take(RECORDED).filter_map(|id| shown.snapshot.row(*id));
        (rows.map(|row| shown.snapshot.label(row)).collect(), shown.result.total)
    };
    let named: Vec<String> = labels.iter().map(|label| escape(&chat::text::shorten(label, 40))).collect();
    let more = if all > named.len() { ", …" } else { "" };
    (!named.is_empty()).then(|| format!("{} ({}{more})", count(all, "row"), named.join(", ")))
}

/// A block of code, whatever backticks stand in it.
fn fenced(code: &str) -> String {
    let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    format!("{fence}\n{code}\n{fence}\n")
}

/// Which rows a query was asked of.
fn asked_of(shown: &Shown) -> String {
    let all = shown.snapshot.rows.len();
    let leaves = shown.snapshot.rows.iter().filter(|r| !r.is_parent).count();
    match shown.checked.table {
        Table::Leaf if leaves < all => format!("rows without children: {leaves} of {all}"),
        Table::Sheet | Table::Leaf | Table::Other if all == 1 => "the only row".into(),
        Table::Sheet | Table::Leaf | Table::Other => format!("all {all} rows"),
    }
}

/// The rows that a result is about, as far as it says so.
fn row_ids(shown: &Shown) -> Vec<i64> {
    let Some(at) = row_id_column(shown) else { return Vec::new() };
    shown.result.rows.iter().filter_map(|r| r[at].as_str()?.parse().ok()).collect()
}

fn row_id_column(shown: &Shown) -> Option<usize> {
    shown.result.columns.iter().position(|c| c.name.eq_ignore_ascii_case("row_id"))
}

fn table(shown: &Shown, visible: &[usize], most: usize) -> TableBlock {
    let result = &shown.result;
    let row_id = row_id_column(shown);
    let columns = visible.iter().map(|i| Column {
        title: result.columns[*i].title.clone(),
        align: if result.columns[*i].numeric { Align::Right } else { Align::Left },
    });
    let rows = (0..result.rows.len().min(most)).map(|r| {
        let id = row_id.and_then(|i| result.rows[r][i].as_str()).and_then(|id| id.parse().ok());
        let link = id.and_then(|id| shown.snapshot.row_link(id));
        let cell = |(n, i): (usize, &usize)| TableCell {
            text: chat::text::clean(&result.shown(r, *i)),
            link: if n == 0 { link.clone() } else { None },
        };
        visible.iter().enumerate().map(cell).collect()
    });
    TableBlock { columns: columns.collect(), rows: rows.collect(), total: result.wanted }
}

/// What would be done: count, old -> new for some rows, warnings, Confirm and Cancel.
fn proposal(made: &Made, forms: bool, lifetime: Duration, viewer: &Viewer<'_>) -> Vec<Block> {
    let plan = &made.draft.plan;
    let sheet = format!("[{}]({})", escape(&made.snapshot.name), made.snapshot.permalink);
    let mut blocks = vec![md(&format!("**{}** of {sheet}?", capital(&words::what(plan))))];
    if let Some(filter) = &made.draft.filter {
        blocks.push(note(&format!("Where {}", escape(filter))));
    }
    blocks.extend(details(plan, Some(&made.snapshot)));
    if let Some(requests) = crate::jobs::requests_of(plan) {
        blocks.push(note(&words::in_the_background(requests)));
    }
    blocks.extend(made.draft.warnings.iter().map(|w| note(&format!("⚠️ {}", escape(w)))));
    let mut buttons = vec![
        button(
            "Confirm",
            format!("confirm:{}", made.proposal.id),
            if matches!(plan, Plan::Delete { .. } | Plan::DeleteColumn { .. }) { ButtonStyle::Danger } else { ButtonStyle::Primary },
        ),
        button("Cancel", format!("cancel:{}", made.proposal.id), ButtonStyle::Plain),
    ];
    if forms && matches!(plan, Plan::Job { .. }) {
        buttons.insert(1, button("Adjust", format!("adjust:{}", made.proposal.id), ButtonStyle::Plain));
    }
    blocks.push(Block::Buttons(buttons));
    let all = viewer(&made.snapshot, &plan.row_ids()).map(|url| format!(" [See it in the sheet.]({url})")).unwrap_or_default();
    let who = match &made.approval {
        Some(approval) => words::waits_for_approver(&approval.others_than(&made.proposal.asker)),
        None => format!("Nothing is written until you confirm. Only you can, for {} minutes.", lifetime.as_secs() / 60),
    };
    blocks.push(note(&format!("{who}{all}")));
    blocks
}

/// The second step of a large change.
pub(super) fn second_step(proposal: &Proposal, plan: &Plan) -> Message {
    let rows = count(usize::try_from(proposal.row_count).unwrap_or(0), "row");
    let mut blocks = vec![md(&format!(
        "This is a large change: **{}**. To carry it out, press the button with the number, or type {}.",
        words::what(plan),
        proposal.row_count
    ))];
    blocks.extend(details(plan, None));
    blocks.push(Block::Buttons(vec![
        button(&format!("Yes, all {rows}"), format!("count:{}", proposal.id), ButtonStyle::Danger),
        button("Cancel", format!("cancel:{}", proposal.id), ButtonStyle::Plain),
    ]));
    Message::new(blocks)
}

fn button(label: &str, action: String, style: ButtonStyle) -> Button {
    Button { label: label.into(), action, style }
}

fn details(plan: &Plan, snapshot: Option<&Snapshot>) -> Vec<Block> {
    let link = |id: i64| snapshot.and_then(|s| s.row_link(id));
    match plan {
        Plan::Update { rows } => {
            let changes = rows.iter().take(SOME).map(|r| (r.label.as_str(), link(r.row_id), r.cells.as_slice()));
            vec![change_table(changes.collect(), rows.len(), ["Now", "New"])]
        }
        Plan::Add { rows, .. } => rows.iter().take(SOME).map(|r| md(&format!("- {}", cells_in_words(&r.cells)))).collect(),
        Plan::Delete { rows } | Plan::Restore { rows } => {
            let named: Vec<Vec<TableCell>> = rows
                .iter()
                .take(SOME)
                .map(|r| vec![TableCell { text: r.label.clone(), link: link(r.row_id) }, TableCell::plain(short_cells(&r.cells))])
                .collect();
            let columns = ["Row", "Values"].map(|t| Column { title: t.into(), align: Align::Left });
            vec![Block::Table(TableBlock { columns: columns.into(), rows: named, total: rows.len() })]
        }
        Plan::AddColumn { spec } | Plan::RestoreColumn { spec, .. } => vec![md(&spec_in_words(spec))],
        Plan::UpdateColumn { before, after, .. } => {
            let renamed = after.title.is_some() && after.title != before.title;
            let said = |spec: &ColumnSpec| spec_in_words(&ColumnSpec { title: spec.title.clone().filter(|_| renamed), ..spec.clone() });
            vec![md(&format!("- from {}\n- to {}", said(before), said(after)))]
        }
        Plan::Job { samples, estimate, .. } => {
            let cells = |s: &Sample| {
                vec![
                    TableCell { text: chat::text::clean(&s.label), link: link(s.row_id) },
                    TableCell::plain(chat::text::shorten(&s.shown, 300)),
                ]
            };
            let columns = ["Row", "Result"].map(|t| Column { title: t.into(), align: Align::Left });
            let table = TableBlock { columns: columns.into(), rows: samples.iter().map(cells).collect(), total: samples.len() };
            vec![Block::Table(table), note(&format!("The first results, kept for the job. {}.", escape(estimate)))]
        }
        Plan::DeleteColumn { .. } | Plan::DeleteComment { .. } => Vec::new(),
        Plan::Comment { text, .. } => vec![md(&format!("“{}”", escape(text)))],
    }
}

/// The cells of some rows, before and after; `titles` say so.
fn change_table(rows: Vec<(&str, Option<url::Url>, &[CellEdit])>, total: usize, [before, after]: [&str; 2]) -> Block {
    let several = rows.iter().flat_map(|(_, _, cells)| cells.iter().map(|c| &c.title)).collect::<std::collections::BTreeSet<_>>().len() > 1;
    let mut lines = Vec::new();
    for (label, link, cells) in rows {
        for (i, cell) in cells.iter().enumerate() {
            let mut line = vec![TableCell {
                text: if i == 0 { label.to_owned() } else { String::new() },
                link: if i == 0 { link.clone() } else { None },
            }];
            if several {
                line.push(TableCell::plain(cell.title.clone()));
            }
            line.push(TableCell::plain(or_empty(&cell.before_shown)));
            line.push(TableCell::plain(or_empty(&cell.after_shown)));
            lines.push(line);
        }
    }
    let titles: &[&str] = if several { &["Row", "Column", before, after] } else { &["Row", before, after] };
    let shown_rows = lines.len();
    let columns = titles.iter().map(|t| Column { title: (*t).to_owned(), align: Align::Left }).collect();
    Block::Table(TableBlock { columns, rows: lines, total: total.max(shown_rows) })
}

fn or_empty(text: &str) -> String {
    if text.is_empty() { "(empty)".into() } else { chat::text::shorten(&chat::text::clean(text), 60) }
}

fn cells_in_words(cells: &[CellEdit]) -> String {
    cells.iter().map(|c| format!("{}: **{}**", escape(&c.title), escape(&or_empty(&c.after_shown)))).collect::<Vec<_>>().join(" · ")
}

fn short_cells(cells: &[CellEdit]) -> String {
    let values =
        cells.iter().skip(1).map(|c| if c.before_shown.is_empty() { &c.after_shown } else { &c.before_shown }).filter(|v| !v.is_empty());
    chat::text::shorten(&values.cloned().collect::<Vec<_>>().join(" · "), 60)
}

fn spec_in_words(spec: &ColumnSpec) -> String {
    let mut parts = Vec::new();
    parts.extend(spec.title.as_ref().map(|t| format!("title {}", escape(t))));
    parts.extend(spec.kind.as_ref().map(|k| format!("type {}", escape(&kind_in_words(k)))));
    parts.extend(spec.options.as_ref().map(|o| format!("options {}", escape(&o.join(", ")))));
    parts.join(" · ")
}

/// `MULTI_PICKLIST` -> “multi picklist”.
fn kind_in_words(kind: &str) -> String {
    if kind == "TEXT_NUMBER" { "text/number".into() } else { kind.to_lowercase().replace('_', " ") }
}

/// What became of a change, which stays as its record: counts, old and new values, people, what was left alone and why, Undo.
pub(super) fn outcome(
    change: &Change,
    plan: &Plan,
    outcome: &Outcome,
    snapshot: Option<&Snapshot>,
    people: &People,
    undo_window: Duration,
) -> Message {
    let undo = change.undo_of.is_some();
    let all = plan.units();
    let sheet = snapshot.map(|s| format!(" in [{}]({})", escape(&s.name), s.permalink)).unwrap_or_default();
    let head = match (outcome.done, undo) {
        (0, false) => format!("⚠️ Nothing was changed: {}.", words::what(plan)),
        (0, true) => "⚠️ Nothing was taken back.".to_owned(),
        (_, false) if outcome.done == all => format!("✅ Done: {}{sheet}.", words::what(plan)),
        (_, true) if outcome.done == all => format!("↩️ Taken back{sheet}: {}.", words::what(plan)),
        (done, false) => format!("✅ Done for {done} of {}: {}{sheet}.", count(all, "row"), words::what(plan)),
        (done, true) => format!("↩️ Taken back for {done} of {}{sheet}.", count(all, "row")),
    };
    let mut blocks = vec![md(&head)];
    if outcome.done > 0 {
        blocks.extend(record(plan, outcome, snapshot));
        blocks.extend(people.words().map(|words| note(&words)));
    }
    blocks.extend(list("Left alone", &outcome.skipped));
    blocks.extend(list("Otherwise than asked", &outcome.altered));
    blocks.extend(list("Failed", &outcome.failed));
    let links: Vec<String> = outcome
        .rows
        .iter()
        // The record of changed cells has these links already.
        .filter(|_| !matches!(plan, Plan::Update { .. }))
        .take(SOME)
        .filter_map(|id| {
            let snapshot = snapshot?;
            let row = snapshot.row(*id)?;
            Some(format!("[{}]({})", escape(&snapshot.label(row)), snapshot.row_link(*id)?))
        })
        .collect();
    if !links.is_empty() {
        let more = if outcome.rows.len() > links.len() { format!(" and {} more", outcome.rows.len() - links.len()) } else { String::new() };
        blocks.push(note(&format!("Rows: {}{more}", links.join(", "))));
    }
    if outcome.done > 0 && !undo {
        blocks.push(Block::Buttons(vec![button("Undo", format!("undo:{}", change.id), ButtonStyle::Plain)]));
        blocks.push(note(&format!("You can take this back for {} hours.", undo_window.as_secs() / 3600)));
    }
    Message::new(blocks)
}

/// What was done, row by row: the values as they stand in the sheet now.
fn record(plan: &Plan, outcome: &Outcome, snapshot: Option<&Snapshot>) -> Vec<Block> {
    // Of rows that come or go only their number is known: what was left alone is not listed as done.
    let Plan::Update { rows } = plan else {
        return if outcome.done == plan.units() { details(plan, snapshot) } else { Vec::new() };
    };
    // What cannot be read now is not said to be there.
    let Some(snapshot) = snapshot else { return Vec::new() };
    let now = |row: i64, cell: &CellEdit| {
        let (position, column) = snapshot.column_by_id(cell.column_id)?;
        Some(snapshot.row(row)?.cells[position].shown(&column.style))
    };
    let mut done: Vec<RowEdit> = rows.iter().filter(|row| outcome.rows.contains(&row.row_id)).take(RECORDED).cloned().collect();
    for row in &mut done {
        for cell in &mut row.cells {
            cell.after_shown = now(row.row_id, cell).unwrap_or_else(|| "(gone)".to_owned());
        }
    }
    if done.is_empty() {
        return Vec::new();
    }
    let link = |id: i64| snapshot.row_link(id);
    let lines = done.iter().map(|row| (row.label.as_str(), link(row.row_id), row.cells.as_slice()));
    vec![change_table(lines.collect(), outcome.rows.len(), ["Was", "Is"])]
}

fn list(head: &str, rows: &[OutcomeRow]) -> Option<Block> {
    if rows.is_empty() {
        return None;
    }
    let some: String = rows.iter().take(SOME).map(|r| format!("- {}: {}\n", escape(&r.label), escape(&r.reason))).collect();
    let more = if rows.len() > SOME { format!("- … and {} more\n", rows.len() - SOME) } else { String::new() };
    Some(md(&format!("{head} ({}):\n\n{some}{more}", rows.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_condition_is_told_in_full_by_why() {
        assert_eq!(condition("Status is “Done”"), "Status is “Done”");
        let any = "Team is one of “Build”, “Design”, “Research”, “Support”, “Sales”";
        let long = format!("{any} and Due Date is before 29 Nov 2026 and Status is not “Done” (or empty) and Budget is more than 10,000");
        let shown = condition(&long);
        assert!(shown.starts_with("Team is one of “Build”") && shown.ends_with("… (`why?` tells all of it)"), "{shown}");
    }
}
