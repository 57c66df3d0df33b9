//! Functions: those of SQLite that are offered, those of other databases by another name, and the kind of what they bring.

use super::super::cell::Style;
use super::super::table::ORDER;
use super::branch::chosen;
use super::date::{self, Stretch};
use super::left_out::Fate;
use super::read::{Constant, Kind, Read, Reader};
use super::{SqlError, refused};
use sqlparser::ast::{DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, WindowType};

/// The longest second argument of `trim`: it is held against every letter of the first.
const LETTERS_TO_TRIM: usize = 40;

/// How a function takes its arguments, and what it brings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Of texts, bringing a text.
    Text,
    /// Of texts, bringing a number.
    Measure,
    /// Of numbers, bringing a number.
    Number,
    /// The first of several values that fits.
    Choice,
    /// A figure over numbers.
    Figure,
    /// The least or the greatest, over rows or among several values.
    Extreme,
    /// Texts of several rows.
    Joined,
    Count,
    /// Of a window, bringing a number.
    Rank,
    /// Of a window, bringing a value of a row.
    Neighbour,
    Date,
    Printf,
    TypeOf,
}

const FORMS: [(&str, Form); 55] = [
    ("abs", Form::Number),
    ("avg", Form::Figure),
    ("ceil", Form::Number),
    ("ceiling", Form::Number),
    ("char", Form::Text),
    ("coalesce", Form::Choice),
    ("concat", Form::Text),
    ("count", Form::Count),
    ("cume_dist", Form::Rank),
    ("date", Form::Date),
    ("datetime", Form::Date),
    ("dense_rank", Form::Rank),
    ("first_value", Form::Neighbour),
    ("floor", Form::Number),
    ("format", Form::Printf),
    ("group_concat", Form::Joined),
    ("ifnull", Form::Choice),
    ("iif", Form::Choice),
    ("instr", Form::Measure),
    ("julianday", Form::Date),
    ("lag", Form::Neighbour),
    ("last_value", Form::Neighbour),
    ("lead", Form::Neighbour),
    ("length", Form::Measure),
    ("like", Form::Measure),
    ("lower", Form::Text),
    ("ltrim", Form::Text),
    ("max", Form::Extreme),
    ("median", Form::Figure),
    ("min", Form::Extreme),
    ("mod", Form::Number),
    ("ntile", Form::Rank),
    ("nullif", Form::Choice),
    ("percent_rank", Form::Rank),
    ("power", Form::Number),
    ("printf", Form::Printf),
    ("rank", Form::Rank),
    ("replace", Form::Text),
    ("round", Form::Number),
    ("row_number", Form::Rank),
    ("rtrim", Form::Text),
    ("sign", Form::Number),
    ("sqrt", Form::Number),
    ("stddev", Form::Figure),
    ("strftime", Form::Date),
    ("string_agg", Form::Joined),
    ("substr", Form::Text),
    ("substring", Form::Text),
    ("sum", Form::Figure),
    ("time", Form::Date),
    ("total", Form::Figure),
    ("trim", Form::Text),
    ("typeof", Form::TypeOf),
    ("unixepoch", Form::Date),
    ("upper", Form::Text),
];

/// Names that other databases have for the same.
const OTHER_NAMES: [(&str, &str); 13] = [
    ("average", "avg"),
    ("char_length", "length"),
    ("greatest", "max"),
    ("if", "iif"),
    ("isnull", "ifnull"),
    ("lcase", "lower"),
    ("least", "min"),
    ("len", "length"),
    ("nvl", "ifnull"),
    ("pow", "power"),
    ("stdev", "stddev"),
    ("stddev_samp", "stddev"),
    ("ucase", "upper"),
];

/// What to write instead of functions that are not there.
const INSTEAD: [(&str, &str); 24] = [
    ("array_agg", "group_concat(x)"),
    ("charindex", "instr(text, part)"),
    ("contains", "x LIKE '%part%'"),
    ("datediff", "julianday(a) - julianday(b) for the days between two days"),
    ("dateadd", "date(x, '+7 days')"),
    ("date_diff", "julianday(a) - julianday(b) for the days between two days"),
    ("date_sub", "date(x, '-7 days')"),
    ("dayname", "strftime('%w', x), where 0 is Sunday"),
    ("ends_with", "x LIKE '%part'"),
    ("initcap", "the text as it stands"),
    ("listagg", "group_concat(x)"),
    ("mode", "GROUP BY with ORDER BY COUNT(*) DESC LIMIT 1"),
    ("monthname", "strftime('%m', x) for the number of the month"),
    ("percentile_disc", "median(x)"),
    ("safe_divide", "a / NULLIF(b, 0)"),
    ("starts_with", "x LIKE 'part%'"),
    ("strpos", "instr(text, part)"),
    ("date_add", "date(x, '+7 days')"),
    ("date_trunc", "strftime('%Y-%m', x) for the month of a day"),
    ("to_char", "strftime('%Y-%m', x)"),
    ("quarter", "(CAST(strftime('%m', x) AS INTEGER) + 2) / 3"),
    ("split_part", "substr and instr"),
    ("regexp_like", "LIKE"),
    ("percentile_cont", "median(x)"),
];

impl Reader<'_> {
    pub fn function(&mut self, function: &Function) -> Result<Read, SqlError> {
        let written = function.name.to_string().to_lowercase().replace(['"', '`', '[', ']'], "");
        let name = OTHER_NAMES.iter().find(|(other, _)| *other == written).map_or(written.as_str(), |(_, name)| name);
        if let Some(read) = self.days_apart(&written, &function.args)? {
            return Ok(read);
        }
        // Before its arguments are read: what they are called elsewhere may be no column here.
        if let Some((_, way)) = INSTEAD.iter().find(|(other, _)| *other == written) {
            return refused(format!("the function {written} is not available; use {way}"));
        }
        if !function.within_group.is_empty() || function.null_treatment.is_some() {
            return refused(format!("{written} cannot be written like that here; use a plain call"));
        }
        if matches!(function.parameters, FunctionArguments::List(_) | FunctionArguments::Subquery(_)) {
            return refused(format!("{written} takes one list of arguments"));
        }
        if matches!(name, "current_date" | "curdate" | "current_timestamp" | "now" | "getdate" | "sysdate" | "today") {
            let call = if matches!(name, "current_date" | "curdate" | "today") { "date" } else { "datetime" };
            return self.date_function(call, Vec::new());
        }
        let (arguments, distinct) = self.arguments(&function.args)?;
        match (field_format(name), arguments.as_slice()) {
            (Some(format), [Argument::Value(of)]) => return self.field_of_date(format, (**of).clone()),
            (None, [Argument::Value(text), Argument::Value(length)]) if matches!(name, "left" | "right") => {
                return self.end_of_text(name, (**text).clone(), (**length).clone());
            }
            _ => {}
        }
        let Some((_, form)) = FORMS.iter().find(|(known, _)| *known == name) else {
            return refused(format!("the function {written} is not available"));
        };
        let call = self.call(name, *form, arguments, distinct)?;
        let call = self.filtered(function, call)?;
        self.over(function, call)
    }

    /// `DATEDIFF(a, b)`, `DATEDIFF(day, a, b)` and `DATEADD(day, n, x)`, as other databases count days; nothing for other calls and units.
    fn days_apart(&mut self, name: &str, arguments: &FunctionArguments) -> Result<Option<Read>, SqlError> {
        let FunctionArguments::List(list) = arguments else { return Ok(None) };
        let plain = |argument: &FunctionArg| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        };
        let Some(all) = list.args.iter().map(plain).collect::<Option<Vec<Expr>>>() else { return Ok(None) };
        let of_days = |unit: &Expr| matches!(unit.to_string().trim_matches('\'').to_lowercase().as_str(), "day" | "days" | "d" | "dd");
        match (name, all.as_slice()) {
            ("datediff", [later, earlier]) => {
                let (later, earlier) = (self.day(later)?, self.day(earlier)?);
                self.shifted(later, true, earlier).map(Some)
            }
            ("datediff", [unit, earlier, later]) if of_days(unit) => {
                let (later, earlier) = (self.day(later)?, self.day(earlier)?);
                self.shifted(later, true, earlier).map(Some)
            }
            ("dateadd", [unit, count, day]) if of_days(unit) => {
                let (count, day) = (self.expr(count)?, self.day(day)?);
                self.shifted(day, false, count).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Something that is a day: a column of days, what a function makes, or a text that names one.
    fn day(&mut self, expr: &Expr) -> Result<Read, SqlError> {
        let read = self.expr(expr)?;
        match (&read.constant, read.kind) {
            (Some(Constant::Text(text)), _) => match date::stretch(text, self.now.date()) {
                Some(Stretch::Day(day)) => Ok(Read { kind: Kind::Day, constant: None, ..Read::text(&day.to_string()) }),
                _ => refused(format!("'{text}' is not a day: write it as 'YYYY-MM-DD'")),
            },
            (_, Kind::Day | Kind::Moment | Kind::Any) => Ok(read),
            _ => refused(format!("{} is not a day", read.words)),
        }
    }

    fn arguments(&mut self, arguments: &FunctionArguments) -> Result<(Vec<Argument>, bool), SqlError> {
        let FunctionArguments::List(list) = arguments else {
            return match arguments {
                FunctionArguments::None => Ok((Vec::new(), false)),
                _ => refused("a query cannot be the argument of a function; put it in brackets"),
            };
        };
        if !list.clauses.is_empty() {
            return refused("ORDER BY and other clauses inside a call are not available");
        }
        let mut read = Vec::new();
        for argument in &list.args {
            let FunctionArg::Unnamed(argument) = argument else { return refused("arguments have no names here") };
            read.push(match argument {
                FunctionArgExpr::Expr(expr) => Argument::Value(Box::new(self.expr(expr)?)),
                FunctionArgExpr::Wildcard => Argument::All,
                _ => return refused("write * alone"),
            });
        }
        Ok((read, matches!(list.duplicate_treatment, Some(DuplicateTreatment::Distinct))))
    }

    fn call(&mut self, name: &str, form: Form, arguments: Vec<Argument>, distinct: bool) -> Result<Read, SqlError> {
        let mut values = Vec::new();
        for argument in arguments {
            match argument {
                Argument::Value(read) => values.push(*read),
                Argument::All if form == Form::Count && values.is_empty() => {
                    return Ok(Read { aggregate: true, ..Read::new("COUNT(*)", "number of rows", Kind::Number) });
                }
                Argument::All => return refused(format!("{name}(*) is not available")),
            }
        }
        match form {
            Form::Date => return self.date_function(name, values),
            Form::Count | Form::Figure | Form::Joined => return self.figure(name, form, values, distinct),
            Form::Extreme if values.len() == 1 => return self.figure(name, form, values, distinct),
            Form::Choice => return Ok(self.choice(name, values)),
            _ => {}
        }
        if distinct {
            return refused(format!("DISTINCT makes no sense in {name}"));
        }
        let few = |letters: &Read| matches!(&letters.constant, Some(Constant::Text(text)) if text.len() <= LETTERS_TO_TRIM);
        if matches!(name, "trim" | "ltrim" | "rtrim") && values.get(1).is_some_and(|letters| !few(letters)) {
            return refused(format!("the second argument of {name} is a text of a few letters, such as '-'"));
        }
        let first = values.first().map_or(Kind::Any, |v| v.kind);
        let style = match (name, values.as_slice()) {
            // Rounding changes nothing about what a number is.
            ("round" | "abs" | "ceil" | "ceiling" | "floor", [first, ..]) => first.style.clone(),
            (_, [first, ..]) if matches!(form, Form::Neighbour | Form::Extreme) => first.style.clone(),
            _ => Style::Plain,
        };
        let mut read = Vec::new();
        for (at, value) in values.into_iter().enumerate() {
            let text = matches!(form, Form::Text | Form::Measure) && !(at > 0 && matches!(name, "substr" | "substring"));
            read.push(match form {
                _ if text && name != "char" => self.as_text(value),
                Form::Number => self.as_number(value)?,
                // A text that takes a number as it stands would show it as 5.0.
                Form::Printf if at > 0 && value.kind == Kind::Text => self.as_text(value),
                _ => value,
            });
        }
        let kind = match form {
            Form::Text | Form::Printf | Form::TypeOf => Kind::Text,
            Form::Neighbour | Form::Extreme => first,
            _ => Kind::Number,
        };
        let parts: Vec<&Read> = read.iter().collect();
        let said: Vec<&str> = read.iter().map(|r| r.words.as_str()).collect();
        let words = match (name, said.as_slice()) {
            // Case plays no part anywhere.
            ("lower" | "upper" | "trim", [of]) => (*of).to_owned(),
            ("round", [of, ..]) => (*of).to_owned(),
            _ => format!("{name}({})", said.join(", ")),
        };
        Ok(Read { style, ..Read::new(format!("{name}({})", listed(&read)), words, kind).with(&parts) })
    }

    /// A figure over several rows.
    fn figure(&mut self, name: &str, form: Form, values: Vec<Read>, distinct: bool) -> Result<Read, SqlError> {
        let mut values = values.into_iter();
        let Some(of) = values.next() else { return refused(format!("{name} wants a column")) };
        let separator: Vec<Read> = values.collect();
        if form != Form::Joined && !separator.is_empty() {
            return refused(format!("{name} takes one column"));
        }
        let said = match name {
            "sum" | "total" => "total",
            "avg" => "average",
            "min" if matches!(of.kind, Kind::Day | Kind::Moment) => "earliest",
            "max" if matches!(of.kind, Kind::Day | Kind::Moment) => "latest",
            "min" => "lowest",
            "max" => "highest",
            "count" if distinct => "number of different",
            "count" => "number of",
            "group_concat" | "string_agg" => "list of",
            other => other,
        };
        if let Some(why) = self.not_in_order(&of).filter(|_| form == Form::Extreme) {
            return Err(SqlError(why));
        }
        let words = format!("{said} {}", of.beside());
        let (of, kind, style) = match form {
            Form::Figure => {
                // Days can be listed and compared, not added up; texts not even that.
                let number = self.as_number(of)?;
                let style =
                    if name == "stddev" || number.origin.is_some() || number.aggregate { number.style.clone() } else { Style::Plain };
                (number, Kind::Number, style)
            }
            Form::Joined => (self.as_text(of), Kind::Text, Style::Plain),
            Form::Count => (of, Kind::Number, Style::Plain),
            _ => {
                let (kind, style) = (of.kind, of.style.clone());
                (of, kind, style)
            }
        };
        let distinct = if distinct { "DISTINCT " } else { "" };
        let more: String = separator.iter().map(|s| format!(", {}", s.sql)).collect();
        let read = Read::new(format!("{name}({distinct}{}{more})", of.sql), words, kind).with(&[&of]);
        Ok(Read { aggregate: true, of_row: false, style, ..read })
    }

    /// `coalesce`, `ifnull`, `nullif`, `iif`: the kind is that of the values, where they agree.
    fn choice(&mut self, name: &str, values: Vec<Read>) -> Read {
        let sql = format!("{name}({})", listed(&values));
        if let ("iif", [condition, yes, others @ ..]) = (name, values.as_slice()) {
            let branches = [(condition.clone(), yes.clone())];
            return Read { words: format!("iif({})", worded(&values)), ..chosen(sql, &branches, others.first()) };
        }
        let (kind, style) = common(&values.iter().collect::<Vec<_>>());
        let mut read = Read::new(sql, String::new(), kind);
        for (at, value) in values.iter().enumerate() {
            let next = values.get(at + 1).filter(|next| matches!(name, "coalesce" | "ifnull") && !next.is_null());
            read = read.with(&[&match next {
                Some(next) => value.clone().becoming(&Fate::Instead(next.words.clone())),
                None => value.clone(),
            }]);
        }
        let said: Vec<&str> = values.iter().map(|r| r.words.as_str()).collect();
        let words = match (name, said.as_slice()) {
            // Nothing instead of nothing.
            ("coalesce" | "ifnull", [first, "“”"]) => (*first).to_owned(),
            ("coalesce" | "ifnull", [first, others @ ..]) => format!("{first} (else {})", others.join(", else ")),
            _ => format!("{name}({})", worded(&values)),
        };
        Read { words, style, ..read }
    }

    /// `count(x) FILTER (WHERE …)`.
    fn filtered(&mut self, function: &Function, call: Read) -> Result<Read, SqlError> {
        let Some(filter) = &function.filter else { return Ok(call) };
        let condition = self.expr(filter)?;
        let words = format!("{} where {}", call.words, condition.words);
        let sql = format!("{} FILTER (WHERE {})", call.sql, condition.sql);
        Ok(Read { sql, words, ..call.only_where(&condition.sql).decided_by(&condition, false) })
    }

    fn over(&mut self, function: &Function, call: Read) -> Result<Read, SqlError> {
        let Some(window) = &function.over else { return Ok(call) };
        let WindowType::WindowSpec(spec) = window else { return refused("write the window in the call: OVER (…)") };
        if spec.window_name.is_some() {
            return refused("windows have no names here: write OVER (PARTITION BY … ORDER BY …)");
        }
        let mut parts = Vec::new();
        let mut inside = Vec::new();
        if !spec.partition_by.is_empty() {
            let by = spec.partition_by.iter().map(|e| self.expr(e)).collect::<Result<Vec<_>, _>>()?;
            inside.push(format!("PARTITION BY {}", listed(&by)));
            parts.extend(by);
        }
        if !spec.order_by.is_empty() {
            let order = spec.order_by.iter().map(|o| self.order(o, &[])).collect::<Result<Vec<_>, _>>()?;
            inside.push(format!("ORDER BY {}", listed(&order)));
            parts.extend(order);
        }
        if let Some(frame) = &spec.window_frame {
            let end = frame.end_bound.as_ref().map(|e| format!(" AND {e}")).unwrap_or_default();
            let between = if end.is_empty() { "" } else { "BETWEEN " };
            inside.push(format!("{} {between}{}{end}", frame.units, frame.start_bound));
        }
        let all: Vec<&Read> = parts.iter().collect();
        let sql = format!("{} OVER ({})", call.sql, inside.join(" "));
        // A window brings a value for each row: it is no figure over all of them.
        Ok(Read { sql, aggregate: false, of_row: true, ..call.with(&all) })
    }

    /// The year, month … of a day, as a number.
    pub fn field_of_date(&mut self, format: &str, of: Read) -> Result<Read, SqlError> {
        let words = format!("{} of {}", field_name(format), of.beside());
        let text = self.date_function("strftime", vec![Read::text(format), of])?;
        Ok(Read { sql: format!("CAST({} AS INTEGER)", text.sql), words, kind: Kind::Number, constant: None, ..text })
    }

    fn end_of_text(&mut self, name: &str, text: Read, length: Read) -> Result<Read, SqlError> {
        let (text, length) = (self.as_text(text), self.as_number(length)?);
        let sql = if name == "left" {
            format!("substr({}, 1, {})", text.sql, length.sql)
        } else {
            format!("substr({}, -({}))", text.sql, length.sql)
        };
        Ok(Read::new(sql, format!("{name}({}, {})", text.words, length.words), Kind::Text).with(&[&text, &length]))
    }

    /// `x COLLATE NOCASE`.
    pub fn collated(&mut self, expr: &Expr, collation: &str) -> Result<Read, SqlError> {
        let read = self.expr(expr)?;
        let read = self.as_text(read);
        match collation.to_lowercase().as_str() {
            "nocase" | "rtrim" => Ok(Read { sql: format!("{} COLLATE {ORDER}", read.sql), constant: None, ..read }),
            "binary" => Ok(Read { sql: format!("{} COLLATE BINARY", read.sql), constant: None, ..read }),
            other => refused(format!("there is no collation {other}; texts are compared without regard to case anyway")),
        }
    }
}

/// An argument of a call.
enum Argument {
    Value(Box<Read>),
    /// `*`
    All,
}

/// The kind and style that several values have together.
pub(super) fn common(values: &[&Read]) -> (Kind, Style) {
    let mut kinds = values.iter().filter(|v| !v.is_null()).map(|v| v.kind);
    let first = kinds.next().unwrap_or(Kind::Any);
    let kind = if kinds.all(|k| k == first) { first } else { Kind::Any };
    // A plain 0 instead of nothing looks like the others.
    let mut styles = values.iter().filter(|v| v.constant.is_none() || v.origin.is_some()).map(|v| v.style.clone());
    let style = styles.next().unwrap_or_default();
    let same = styles.all(|s| s == style);
    (kind, if same { style } else { Style::Plain })
}

/// What several values say, side by side.
fn worded(reads: &[Read]) -> String {
    reads.iter().map(|r| r.words.as_str()).collect::<Vec<_>>().join(", ")
}

pub(super) fn listed(reads: &[Read]) -> String {
    reads.iter().map(|r| r.sql.as_str()).collect::<Vec<_>>().join(", ")
}

fn field_format(name: &str) -> Option<&'static str> {
    Some(match name {
        "year" => "%Y",
        "month" => "%m",
        "day" | "dayofmonth" => "%d",
        "hour" => "%H",
        "minute" => "%M",
        "dayofweek" | "weekday" => "%w",
        "dayofyear" => "%j",
        "week" | "weekofyear" => "%V",
        _ => return None,
    })
}

fn field_name(format: &str) -> &'static str {
    match format {
        "%Y" => "year",
        "%m" => "month",
        "%d" => "day",
        "%H" => "hour",
        "%M" => "minute",
        "%w" => "day of the week",
        "%j" => "day of the year",
        _ => "week",
    }
}
