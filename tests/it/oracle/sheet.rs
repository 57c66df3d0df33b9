//! Sheets and conditions of the oracle: what people have put into cells, and what a condition says of each row, in plain code.

use crate::dice::Dice;
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Number,
    Day,
    Check,
    Text,
    People,
}

/// What somebody put into a cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Raw {
    Nothing,
    Number(f64),
    Text(String),
    Day(String),
    Tick(bool),
    People(Vec<usize>),
}

pub(super) struct Column {
    pub title: String,
    pub sql: String,
    /// What the addresses of its people are called.
    pub email: String,
    pub kind: Kind,
    pub cells: Vec<Raw>,
}

pub(super) const TITLES: [&str; 27] = [
    "Order",
    "To",
    "Due Date",
    "% Complete",
    "Статус",
    "負責人",
    "Größe (cm)",
    "2026 Plan",
    "Path",
    "Level",
    "Select",
    "Budget",
    "Budget Text",
    "Actual",
    "due date",
    "Is it done?",
    "Part #",
    "From",
    "When",
    "Team",
    "Total $",
    "Group By",
    "due_date",
    "budget_text",
    "Row_ID",
    "Team Email",
    "5\" pipe",
];
const WORDS: [&str; 12] =
    ["Blocked", "blocked", "In Progress", "Done", "MÜNCHEN", "münchen", "café", "cafe\u{301}", "Москва", "O'Brien", "50%_off", "Done "];
const STRAYS: [&str; 10] = ["tbd", "n/a", "5 days", "1,234", "30,5", "12%", "A-17", "1003", "#DIVIDE BY ZERO", "00123"];
const PEOPLE: [(&str, &str); 4] = [
    ("Dana Reyes", "dana.reyes@example.com"),
    ("Dana Cho", "dana.cho@example.com"),
    ("Zoë Łódź", "zoe@example.com"),
    ("Lee Park", "lee.park@example.com"),
];

pub(super) fn cells(dice: &mut Dice, kind: Kind, rows: usize) -> Vec<Raw> {
    let (blank, stray) = (*dice.of(&[0, 20, 50]), *dice.of(&[0, 10, 40]));
    let cell = |dice: &mut Dice| match kind {
        _ if dice.chance(blank) => Raw::Nothing,
        Kind::Number if dice.chance(stray) => Raw::Text((*dice.of(&STRAYS)).into()),
        Kind::Number => Raw::Number(*dice.of(&[0.0, 1.0, 5.0, 10.0, 40.0, 1001.0, 1003.0, -3.5, 0.25, 2000.0])),
        Kind::Day if dice.chance(stray) => Raw::Text((*dice.of(&["TBD", "soon", "2026-13-01", "Q4 2026"])).into()),
        Kind::Day => Raw::Day(format!("202{}-{:02}-{:02}", 6 + dice.below(2), 1 + dice.below(12), 1 + dice.below(28))),
        Kind::Check => Raw::Tick(dice.chance(50)),
        Kind::Text => Raw::Text((*dice.of(&WORDS)).into()),
        Kind::People => {
            let mut all: Vec<usize> = (0..PEOPLE.len()).filter(|_| dice.chance(40)).collect();
            if all.is_empty() {
                all.push(dice.below(PEOPLE.len()));
            }
            Raw::People(all)
        }
    };
    (0..rows).map(|_| cell(dice)).collect()
}

pub(super) fn kind_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Number | Kind::Text => "TEXT_NUMBER",
        Kind::Day => "DATE",
        Kind::Check => "CHECKBOX",
        Kind::People => "MULTI_CONTACT_LIST",
    }
}

pub(super) fn json_of(raw: &Raw) -> Value {
    match raw {
        Raw::Nothing => Value::Null,
        Raw::Number(n) => json!({ "value": n, "displayValue": n.to_string() }),
        Raw::Text(text) => json!({ "value": text, "displayValue": text }),
        Raw::Day(day) => json!({ "value": day }),
        Raw::Tick(ticked) => json!({ "value": ticked }),
        Raw::People(all) => {
            let names: Vec<&str> = all.iter().map(|p| PEOPLE[*p].0).collect();
            let contact = |p: &usize| json!({ "objectType": "CONTACT", "name": PEOPLE[*p].0, "email": PEOPLE[*p].1 });
            let values: Vec<Value> = all.iter().map(contact).collect();
            json!({ "value": names.join(", "), "displayValue": names.join(", "), "objectValue": { "objectType": "MULTI_CONTACT", "values": values } })
        }
    }
}

/// Values with signs as people write them, with the number that they mean.
const WRITTEN: [(&str, Option<f64>); 7] = [
    ("1,234", Some(1234.0)),
    ("12%", Some(0.12)),
    ("30,5", None),
    ("5 days", None),
    ("00123", None),
    ("$2,000", Some(2000.0)),
    ("10", Some(10.0)),
];
/// Names of the columns that every sheet has.
const RESERVED: [&str; 7] = ["row_id", "parent_id", "level", "row_number", "is_parent", "path", "top"];

/// Whether a cell of a column of numbers holds what is written so: the number that it means, or the text itself.
fn written_in(raw: &Raw, written: &str, meant: Option<f64>) -> Option<bool> {
    match raw {
        Raw::Number(n) => Some(meant == Some(*n)),
        Raw::Text(text) => Some(folded(text) == folded(written) || meant.is_some_and(|n| folded(text) == n.to_string())),
        _ => None,
    }
}

/// A text as people compare it: composed, without case and spaces around it.
pub(super) fn folded(text: &str) -> String {
    text.trim().to_lowercase().replace("e\u{301}", "é")
}

fn names(all: &[usize]) -> String {
    all.iter().map(|p| PEOPLE[*p].0).collect::<Vec<_>>().join(", ")
}

fn emails(all: &[usize]) -> String {
    all.iter().map(|p| PEOPLE[*p].1).collect::<Vec<_>>().join(", ")
}

impl Column {
    /// Whether a condition names this column.
    pub fn stands_in(&self, condition: &str) -> bool {
        [&self.sql, &self.title, &self.title.replace('"', "\"\"")].iter().any(|name| condition.contains(name.as_str()))
    }
}

/// A condition: how it is written, and what it says of a row; `None` is unknown, as for an empty cell.
pub(super) struct Condition {
    pub sql: String,
    pub holds: Vec<Option<bool>>,
}

/// A table of the sheet as people know it.
pub(super) struct Table {
    pub columns: Vec<Column>,
    pub rows: usize,
}

impl Table {
    pub fn of(&self, dice: &mut Dice, kind: Kind) -> Option<usize> {
        // A column without a single number is one of texts, of which no figure is made.
        let usable = |c: &Column| c.kind == kind && (kind != Kind::Number || c.cells.iter().any(|r| matches!(r, Raw::Number(_))));
        let all: Vec<usize> = (1..self.columns.len()).filter(|c| usable(&self.columns[*c])).collect();
        if all.is_empty() { None } else { Some(*dice.of(&all)) }
    }

    /// One of the ways to name a column.
    pub fn name(&self, dice: &mut Dice, at: usize) -> String {
        let Column { title, sql, .. } = &self.columns[at];
        // Two titles that differ in nothing but case, and a title that is the name of another column, are told apart by their names alone.
        let lower = title.to_lowercase();
        let is_name_of = |c: &Column| {
            let own = [String::new(), "_text".into(), "_email".into()].map(|ending| format!("{}{ending}", c.sql));
            c.title.to_lowercase() == lower || own.contains(&lower)
        };
        let twins = self.columns.iter().filter(|c| c.title != *title && is_name_of(c)).count() > 0 || RESERVED.contains(&lower.as_str());
        match dice.below(if twins { 1 } else { 4 }) {
            0 => sql.clone(),
            1 => format!("\"{}\"", title.replace('"', "\"\"")),
            2 if !title.contains(']') => format!("[{title}]"),
            _ => format!("`{title}`"),
        }
    }

    pub fn condition(&self, dice: &mut Dice, depth: usize) -> Condition {
        if depth > 0 && dice.chance(40) {
            let (a, b) = (self.condition(dice, depth - 1), self.condition(dice, depth - 1));
            return match dice.below(3) {
                0 => Condition {
                    sql: format!("({} AND {})", a.sql, b.sql),
                    holds: a.holds.iter().zip(&b.holds).map(|(a, b)| and(*a, *b)).collect(),
                },
                1 => Condition {
                    sql: format!("({} OR {})", a.sql, b.sql),
                    holds: a.holds.iter().zip(&b.holds).map(|(a, b)| and(a.map(|x| !x), b.map(|x| !x)).map(|x| !x)).collect(),
                },
                _ => Condition { sql: format!("NOT ({})", a.sql), holds: a.holds.iter().map(|h| h.map(|x| !x)).collect() },
            };
        }
        loop {
            let kind = *dice.of(&[Kind::Number, Kind::Number, Kind::Day, Kind::Check, Kind::Text, Kind::People]);
            if let Some(at) = self.of(dice, kind) {
                return self.simple(dice, at);
            }
        }
    }

    fn simple(&self, dice: &mut Dice, at: usize) -> Condition {
        let name = self.name(dice, at);
        self.simple_of(dice, at, &name)
    }

    /// A condition of a column that is called like this.
    pub fn simple_of(&self, dice: &mut Dice, at: usize, name: &str) -> Condition {
        let cells = &self.columns[at].cells;
        let each = |holds: &dyn Fn(&Raw) -> Option<bool>| cells.iter().map(holds).collect::<Vec<_>>();
        let sign = *dice.of(&["<", "<=", ">", ">=", "=", "<>"]);
        match self.columns[at].kind {
            Kind::Number => {
                let n = *dice.of(&[0.0, 5.0, 10.0, 1001.0, 1003.0, 0.25]);
                match dice.below(6) {
                    4 => {
                        let (written, meant) = *dice.of(&WRITTEN);
                        let (sign, negated) = *dice.of(&[("=", false), ("<>", true)]);
                        Condition {
                            sql: format!("{name} {sign} '{written}'"),
                            holds: each(&|raw| written_in(raw, written, meant).map(|x| x != negated)),
                        }
                    }
                    5 => {
                        let ((a, a_meant), (b, b_meant)) = (*dice.of(&WRITTEN), *dice.of(&WRITTEN));
                        let negated = dice.chance(50);
                        let not = if negated { "NOT " } else { "" };
                        let holds = |raw: &Raw| {
                            let either = written_in(raw, a, a_meant)? || written_in(raw, b, b_meant)?;
                            Some(either != negated)
                        };
                        Condition { sql: format!("{name} {not}IN ('{a}', '{b}')"), holds: each(&holds) }
                    }
                    0 => {
                        let literal = if dice.chance(50) { format!("{n}") } else { format!("'{n}'") };
                        let holds = |raw: &Raw| match (raw, sign) {
                            (Raw::Number(x), _) => Some(compared(x.total_cmp(&n), sign)),
                            // A text may be the same number, and is another value otherwise.
                            (Raw::Text(text), "=" | "<>") => {
                                let same = folded(text) == n.to_string();
                                Some(same == (sign == "="))
                            }
                            _ => None,
                        };
                        Condition { sql: format!("{name} {sign} {literal}"), holds: each(&holds) }
                    }
                    1 => Condition {
                        sql: format!("{name} BETWEEN 1 AND 40"),
                        holds: each(&|raw| if let Raw::Number(x) = raw { Some((1.0..=40.0).contains(x)) } else { None }),
                    },
                    2 => Condition {
                        sql: format!("{name} IN ('1001', 'a-17', '10')"),
                        holds: each(&|raw| match raw {
                            Raw::Number(x) => Some([1001.0, 10.0].contains(x)),
                            Raw::Text(text) => Some(["1001", "a-17", "10"].contains(&folded(text).as_str())),
                            _ => None,
                        }),
                    },
                    _ => Condition { sql: format!("{name} IS NOT NULL"), holds: each(&|raw| Some(matches!(raw, Raw::Number(_)))) },
                }
            }
            Kind::Day if dice.chance(30) => {
                let negated = dice.chance(50);
                let not = if negated { "NOT " } else { "" };
                let within = |raw: &Raw| {
                    if let Raw::Day(d) = raw { Some(("2026-03-01".."2027-02-02").contains(&d.as_str()) != negated) } else { None }
                };
                Condition { sql: format!("{name} {not}BETWEEN '2026-03-01' AND '2027-02-01'"), holds: each(&within) }
            }
            Kind::Day => {
                let day = format!("202{}-{:02}-15", 6 + dice.below(2), 1 + dice.below(12));
                let holds = |raw: &Raw| match (raw, sign) {
                    (Raw::Day(d), _) => Some(compared(d.as_str().cmp(&day), sign)),
                    (Raw::Text(_), "<>") => Some(true),
                    (Raw::Text(_), "=") => Some(false),
                    _ => None,
                };
                Condition { sql: format!("{name} {sign} '{day}'"), holds: each(&holds) }
            }
            Kind::Check => match dice.below(3) {
                0 => Condition { sql: format!("NOT {name}"), holds: each(&|raw| Some(*raw != Raw::Tick(true))) },
                1 => Condition { sql: format!("{name} = 1"), holds: each(&|raw| Some(*raw == Raw::Tick(true))) },
                _ => Condition { sql: format!("{name} <> 1"), holds: each(&|raw| Some(*raw != Raw::Tick(true))) },
            },
            Kind::Text => {
                let word = *dice.of(&WORDS);
                let written = if dice.chance(50) { word.to_lowercase() } else { word.to_uppercase() };
                let quoted = written.replace('\'', "''");
                let is = |raw: &Raw| if let Raw::Text(text) = raw { Some(folded(text) == folded(&written)) } else { None };
                match dice.below(4) {
                    0 => Condition { sql: format!("{name} = '{quoted}'"), holds: each(&is) },
                    1 => Condition { sql: format!("{name} <> '{quoted}'"), holds: each(&|raw| is(raw).map(|x| !x)) },
                    2 => {
                        let part: String = folded(word).chars().take(3).collect();
                        let contains = |raw: &Raw| if let Raw::Text(text) = raw { Some(folded(text).contains(&part)) } else { None };
                        let pattern = part.to_uppercase().replace('\'', "''").replace('%', "\\%").replace('_', "\\_");
                        Condition { sql: format!("lower({name}) LIKE '%{pattern}%' ESCAPE '\\'"), holds: each(&contains) }
                    }
                    _ => Condition { sql: format!("{name} IS NULL"), holds: each(&|raw| Some(*raw == Raw::Nothing)) },
                }
            }
            Kind::People => {
                let (who, address) = *dice.of(&PEOPLE);
                let of = |raw: &Raw, text: fn(&[usize]) -> String, part: &str| {
                    if let Raw::People(all) = raw { Some(text(all).to_lowercase().contains(&part.to_lowercase())) } else { None }
                };
                let among = |raw: &Raw| if let Raw::People(all) = raw { Some(all.iter().any(|p| PEOPLE[*p].0 == who)) } else { None };
                if dice.chance(50) {
                    let (sign, negated) = *dice.of(&[("=", false), ("<>", true)]);
                    let said = if dice.chance(50) { who.to_uppercase() } else { address.to_owned() };
                    Condition { sql: format!("{name} {sign} '{said}'"), holds: each(&|raw| among(raw).map(|x| x != negated)) }
                } else if dice.chance(50) {
                    Condition { sql: format!("{name} LIKE '%{}%'", who.to_uppercase()), holds: each(&|raw| of(raw, names, who)) }
                } else {
                    let email = &self.columns[at].email;
                    Condition { sql: format!("{email} LIKE '%{address}%'"), holds: each(&|raw| of(raw, emails, address)) }
                }
            }
        }
    }

    /// The numbers of a column in these rows.
    pub fn numbers(&self, at: usize, rows: &[usize]) -> Vec<f64> {
        rows.iter().filter_map(|r| if let Raw::Number(n) = self.columns[at].cells[*r] { Some(n) } else { None }).collect()
    }
}

fn and(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn compared(order: std::cmp::Ordering, sign: &str) -> bool {
    match sign {
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        "=" => order.is_eq(),
        _ => order.is_ne(),
    }
}
