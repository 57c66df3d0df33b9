//! The gate for SQL that a model wrote: one `SELECT`, known tables, known functions, nothing else.

use super::names::RESERVED;
use super::snapshot::Snapshot;
use sqlparser::ast::{Expr, GroupByExpr, Ident, ObjectName, Query, SelectItem, SetExpr, Statement, Visit, Visitor};
use sqlparser::dialect::SQLiteDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};
use std::collections::HashSet;
use std::ops::ControlFlow;

/// The longest text that is looked at.
const MAX_SQL_CHARS: usize = 8_000;
/// Long chains of operators make deep trees; this keeps them within the stack.
const MAX_SQL_TOKENS: usize = 600;

const FUNCTIONS: [&str; 44] = [
    "abs",
    "avg",
    "ceil",
    "ceiling",
    "char",
    "coalesce",
    "concat",
    "count",
    "date",
    "datetime",
    "dense_rank",
    "first_value",
    "floor",
    "format",
    "group_concat",
    "ifnull",
    "iif",
    "instr",
    "julianday",
    "lag",
    "last_value",
    "lead",
    "length",
    "lower",
    "ltrim",
    "max",
    "min",
    "mod",
    "nullif",
    "printf",
    "rank",
    "replace",
    "round",
    "row_number",
    "rtrim",
    "sign",
    "strftime",
    "string_agg",
    "substr",
    "substring",
    "sum",
    "total",
    "trim",
    "upper",
];
const MORE_FUNCTIONS: [&str; 6] = ["typeof", "unixepoch", "like", "power", "ntile", "median"];
const AGGREGATES: [&str; 8] = ["count", "sum", "avg", "min", "max", "total", "group_concat", "string_agg"];

/// Why a query is not run. Written for whoever wrote the query, with what to do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SqlError(pub String);

/// A query that may be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The text to run.
    pub sql: String,
    /// The condition of the outermost `SELECT` in the sheet's own words.
    pub filter: Option<String>,
    /// Columns (SQL names) whose numbers are added up or averaged.
    pub measured: Vec<String>,
    /// For each column of the result the SQL name of the sheet's column it shows, where it shows one.
    pub shows: Vec<Option<String>>,
}

/// Checks a query against the tables of a snapshot; adds `row_id` to plain lists of rows.
///
/// # Errors
/// [`SqlError`] with the reason.
pub fn check(sql: &str, snapshot: &Snapshot) -> Result<Checked, SqlError> {
    if sql.chars().count() > MAX_SQL_CHARS {
        return Err(SqlError(format!("the query is longer than {MAX_SQL_CHARS} characters")));
    }
    let tokens = Tokenizer::new(&SQLiteDialect {}, sql).tokenize().map_err(|e| SqlError(format!("this SQL cannot be read: {e}")))?;
    if tokens.iter().filter(|t| !matches!(t, Token::Whitespace(_))).count() > MAX_SQL_TOKENS {
        return Err(SqlError(format!("the query has more than {MAX_SQL_TOKENS} words and signs; make it simpler")));
    }
    let mut query = parse(sql)?;
    let mut gate = Gate { tables: HashSet::new(), refused: None };
    let _ = query.visit(&mut gate);
    if let Some(why) = gate.refused {
        return Err(SqlError(why));
    }
    add_row_id(&mut query);
    // What runs is the tree that was looked at, not the text that it was read from.
    let mut checked = Checked { sql: query.to_string(), filter: None, measured: Vec::new(), shows: Vec::new() };
    if let SetExpr::Select(select) = query.body.as_ref() {
        checked.filter = select.selection.as_ref().map(|s| in_words(s, snapshot));
        for item in &select.projection {
            let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else {
                checked.shows.clear();
                break;
            };
            let (shown, measured) = column_of(expr);
            checked.measured.extend(measured);
            checked.shows.push(shown);
        }
    }
    Ok(checked)
}

fn parse(sql: &str) -> Result<Box<Query>, SqlError> {
    let mut statements = Parser::parse_sql(&SQLiteDialect {}, sql).map_err(|e| SqlError(format!("this SQL cannot be read: {e}")))?;
    match (statements.pop(), statements.is_empty()) {
        (Some(Statement::Query(query)), true) => Ok(query),
        (Some(Statement::Query(_)), false) => Err(SqlError("write exactly one SELECT statement".into())),
        _ => Err(SqlError("only one SELECT statement is allowed; use the propose_* functions for changes".into())),
    }
}

struct Gate {
    tables: HashSet<String>,
    refused: Option<String>,
}

impl Gate {
    fn refuse(&mut self, why: String) -> ControlFlow<()> {
        self.refused = Some(why);
        ControlFlow::Break(())
    }
}

impl Visitor for Gate {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for cte in query.with.iter().flat_map(|w| &w.cte_tables) {
            self.tables.insert(cte.alias.name.value.to_lowercase());
        }
        if !query.locks.is_empty() || query.for_clause.is_some() {
            return self.refuse("locking clauses are not allowed".into());
        }
        if selects_into(&query.body) {
            return self.refuse("SELECT INTO is not allowed".into());
        }
        if matches!(query.body.as_ref(), SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_)) {
            return self.refuse("only SELECT is allowed".into());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let name = relation.to_string().to_lowercase().replace(['"', '`', '[', ']'], "");
        if name == "sheet" || name == "leaf" || self.tables.contains(&name) {
            return ControlFlow::Continue(());
        }
        self.refuse(format!("there is no table {name}: use sheet (all rows) or leaf (rows without children)"))
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr {
            let name = function.name.to_string().to_lowercase();
            if !FUNCTIONS.contains(&name.as_str()) && !MORE_FUNCTIONS.contains(&name.as_str()) {
                return self.refuse(format!("the function {name} is not available"));
            }
        }
        ControlFlow::Continue(())
    }
}

fn selects_into(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => select.into.is_some(),
        SetExpr::SetOperation { left, right, .. } => selects_into(left) || selects_into(right),
        _ => false,
    }
}

/// Makes `row_id` the last column of a plain list of rows, unless it is there.
fn add_row_id(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(list, _) if list.is_empty());
    let one_table = select.from.len() == 1
        && select.from[0].joins.is_empty()
        && matches!(select.from[0].relation.to_string().to_lowercase().as_str(), "sheet" | "leaf");
    if grouped || !one_table || select.distinct.is_some() || select.having.is_some() {
        return;
    }
    let mut has_row_id = false;
    for item in &select.projection {
        match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                has_row_id |= matches!(expr, Expr::Identifier(i) if i.value.eq_ignore_ascii_case("row_id"));
                if aggregates(expr) {
                    return;
                }
            }
            _ => return,
        }
    }
    if !has_row_id {
        select.projection.push(SelectItem::UnnamedExpr(Expr::Identifier(Ident::new("row_id"))));
    }
}

fn aggregates(expr: &Expr) -> bool {
    struct Find(bool);
    impl Visitor for Find {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if let Expr::Function(f) = expr {
                self.0 |= AGGREGATES.contains(&f.name.to_string().to_lowercase().as_str());
            }
            ControlFlow::Continue(())
        }
    }
    let mut find = Find(false);
    let _ = expr.visit(&mut find);
    find.0
}

/// The column that an expression shows, and the column whose numbers it adds up.
fn column_of(expr: &Expr) -> (Option<String>, Option<String>) {
    match expr {
        Expr::Identifier(name) => (Some(name.value.to_lowercase()), None),
        Expr::CompoundIdentifier(parts) => (parts.last().map(|p| p.value.to_lowercase()), None),
        Expr::Function(function) => {
            let name = function.name.to_string().to_lowercase();
            let text = function.args.to_string();
            let argument = text.trim_start_matches('(').trim_end_matches(')').trim().trim_matches('"').to_lowercase();
            let simple = !argument.is_empty() && argument.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            match name.as_str() {
                "sum" | "total" | "avg" if simple => (Some(argument.clone()), Some(argument)),
                "min" | "max" | "round" if simple => (Some(argument), None),
                "round" => match inner_call(&text) {
                    Some(inner) => (Some(inner.clone()), Some(inner)),
                    None => (None, None),
                },
                _ => (None, None),
            }
        }
        Expr::Nested(inner) => column_of(inner),
        _ => (None, None),
    }
}

/// `(sum(budget), 2)` -> `budget`.
fn inner_call(arguments: &str) -> Option<String> {
    let lower = arguments.to_lowercase();
    let start = ["(sum(", "(avg(", "(total("].iter().find_map(|p| lower.strip_prefix(p))?;
    let name = start.split(')').next()?;
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then(|| name.to_owned())
}

/// A condition with the sheet's titles instead of SQL names, short enough for one line.
fn in_words(condition: &Expr, snapshot: &Snapshot) -> String {
    let text = condition.to_string();
    let mut words = String::with_capacity(text.len());
    let mut quoted = false;
    let mut word = String::new();
    let flush = |word: &mut String, out: &mut String| {
        let title = snapshot.columns.iter().find(|c| c.sql == *word).map(|c| c.title.clone());
        let contact = || snapshot.columns.iter().find(|c| format!("{}_email", c.sql) == *word).map(|c| format!("{} e-mail", c.title));
        let own = || RESERVED.contains(&word.as_str()).then(|| word.replace('_', " "));
        out.push_str(&title.or_else(contact).or_else(own).unwrap_or_else(|| word.clone()));
        word.clear();
    };
    for c in text.chars() {
        if !quoted && (c.is_ascii_alphanumeric() || c == '_') {
            word.push(c);
            continue;
        }
        flush(&mut word, &mut words);
        quoted ^= c == '\'';
        if c != '"' {
            words.push(c);
        }
    }
    flush(&mut word, &mut words);
    chat::text::shorten(&words, 200)
}
