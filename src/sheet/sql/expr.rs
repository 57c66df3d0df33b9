//! Expressions: each form that is offered, with what runs, what it says and of what kind it is.

use super::super::cell::Style;
use super::super::names::RESERVED;
use super::branch::chosen;
use super::compare::plain;
use super::date::{self, Stretch};
use super::function::listed;
use super::read::{Constant, Kind, Read, Reader};
use super::words::{self, Comparison};
use super::{SqlError, refused};
use sqlparser::ast::{BinaryOperator, CaseWhen, CeilFloorKind, DataType, DateTimeField, Expr, Ident, UnaryOperator, Value};

impl Reader<'_> {
    pub fn expr(&mut self, expr: &Expr) -> Result<Read, SqlError> {
        self.deeper(|reader| reader.form(expr))
    }

    /// The column that a name means; in quotes it may be a title, too.
    fn named(&mut self, table: Option<&str>, ident: &Ident) -> Result<Read, SqlError> {
        let titled = self.snapshot.columns.iter().find(|c| c.title == ident.value && c.sql != ident.value);
        if let Some(column) = titled.filter(|_| ident.quote_style.is_some() && RESERVED.contains(&ident.value.as_str())) {
            let name = &ident.value;
            return refused(format!(
                "“{name}” is a column of the sheet, {}, and also what every row has: write {} or {name} without quotes",
                column.sql, column.sql
            ));
        }
        self.column(table, &ident.value)
    }

    fn form(&mut self, expr: &Expr) -> Result<Read, SqlError> {
        let denies = matches!(
            expr,
            Expr::InList { negated: true, .. }
                | Expr::Like { negated: true, .. }
                | Expr::ILike { negated: true, .. }
                | Expr::IsDistinctFrom(..)
                | Expr::UnaryOp { op: UnaryOperator::Not, .. }
                | Expr::BinaryOp { op: BinaryOperator::NotEq, .. }
        );
        self.denies ^= denies;
        let read = self.form_of(expr);
        self.denies ^= denies;
        read
    }

    fn form_of(&mut self, expr: &Expr) -> Result<Read, SqlError> {
        match expr {
            Expr::Identifier(ident) => self.named(None, ident).map_err(|error| match ident.quote_style {
                Some('"') => SqlError(format!("{error}; texts stand in single quotes")),
                _ => error,
            }),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, column] => self.named(Some(&table.value), column),
                _ => refused(format!("{expr} is not a column: write table.column")),
            },
            Expr::Value(value) => constant(&value.value),
            Expr::TypedString(typed) => match date::stretch(&typed.value.to_string().replace('\'', ""), self.now.date()) {
                Some(Stretch::Day(day)) => Ok(Read::text(&day.to_string())),
                _ => refused(format!("{expr} is not available: write a day as 'YYYY-MM-DD'")),
            },
            Expr::Nested(inner) => {
                let read = self.expr(inner)?;
                let sql = format!("({})", read.sql);
                Ok(if read.origin.is_some() || read.constant.is_some() { read } else { Read { sql, ..read } })
            }
            Expr::UnaryOp { op, expr } => self.unary(*op, expr),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::IsNull(e) => self.expr(e).map(|read| self.is_null(read, false)),
            Expr::IsNotNull(e) => self.expr(e).map(|read| self.is_null(read, true)),
            Expr::IsTrue(e) => self.truth(e, "IS TRUE", true),
            Expr::IsNotTrue(e) => self.truth(e, "IS NOT TRUE", false),
            Expr::IsFalse(e) => self.truth(e, "IS FALSE", false),
            Expr::IsNotFalse(e) => self.truth(e, "IS NOT FALSE", true),
            Expr::IsNotDistinctFrom(a, b) => self.comparison(a, Comparison::Same, b),
            Expr::IsDistinctFrom(a, b) => self.comparison(a, Comparison::NotSame, b),
            Expr::InList { expr, list, negated } => {
                let left = self.expr(expr)?;
                let values = list.iter().map(|e| self.expr(e)).collect::<Result<Vec<_>, _>>()?;
                self.among(left, *negated, values)
            }
            Expr::InSubquery { expr, subquery, negated } => {
                let left = self.expr(expr)?;
                let (inner, _) = self.inner_query(subquery)?;
                let not = if *negated { "NOT " } else { "" };
                let words = format!("{} is {not}among {}", left.beside(), inner.words).replace("NOT", "not");
                let mut read = Read::new(format!("{} {not}IN ({})", left.sql, inner.sql), words, Kind::Checkbox).with(&[&left]);
                if *negated {
                    read.blanks.extend(self.blank_of(&left));
                }
                Ok(read)
            }
            Expr::Exists { subquery, negated } => {
                let (inner, _) = self.inner_query(subquery)?;
                let (not, is) = if *negated { ("NOT ", "is no") } else { ("", "is a") };
                Ok(Read::new(format!("{not}EXISTS ({})", inner.sql), format!("there {is} row in {}", inner.words), Kind::Checkbox))
            }
            Expr::Subquery(query) => {
                let (inner, brings) = self.inner_query(query)?;
                let words = format!("the {brings} of {}", inner.words);
                Ok(Read { sql: format!("({})", inner.sql), origin: None, words, ..inner })
            }
            Expr::Between { expr, negated, low, high } => {
                let (read, low, high) = (self.expr(expr)?, self.expr(low)?, self.expr(high)?);
                self.between(read, *negated, low, high)
            }
            Expr::Like { negated, any: false, expr, pattern, escape_char }
            | Expr::ILike { negated, any: false, expr, pattern, escape_char } => self.like(*negated, expr, pattern, escape_char.as_deref()),
            Expr::RLike { .. } | Expr::SimilarTo { .. } => refused("regular expressions are not available: use LIKE or GLOB"),
            Expr::Case { operand, conditions, else_result, .. } => self.case(operand.as_deref(), conditions, else_result.as_deref()),
            Expr::Cast { expr, data_type, .. } => self.cast(expr, data_type),
            Expr::Collate { expr, collation } => self.collated(expr, &collation.to_string()),
            Expr::Function(function) => self.function(function),
            other => self.special(other),
        }
    }

    /// Calls that sqlparser reads as forms of their own.
    fn special(&mut self, expr: &Expr) -> Result<Read, SqlError> {
        match expr {
            Expr::Extract { field, expr, .. } => {
                let format = match field {
                    DateTimeField::Year => "%Y",
                    DateTimeField::Month => "%m",
                    DateTimeField::Day => "%d",
                    DateTimeField::Hour => "%H",
                    DateTimeField::Minute => "%M",
                    DateTimeField::Week(_) => "%V",
                    DateTimeField::Dow => "%w",
                    other => return refused(format!("{other} of a day is not available: use strftime")),
                };
                let of = self.expr(expr)?;
                self.field_of_date(format, of)
            }
            Expr::Ceil { expr, field } => self.rounded("ceil", expr, field),
            Expr::Floor { expr, field } => self.rounded("floor", expr, field),
            Expr::Position { expr, r#in } => {
                let (part, text) = (self.expr(expr)?, self.expr(r#in)?);
                let (part, text) = (self.as_text(part), self.as_text(text));
                let words = format!("where {} stands in {}", part.words, text.words);
                Ok(Read::new(format!("instr({}, {})", text.sql, part.sql), words, Kind::Number).with(&[&part, &text]))
            }
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let text = self.expr(expr)?;
                let mut parts = vec![self.as_text(text)];
                for part in [substring_from, substring_for].into_iter().flatten() {
                    let part = self.expr(part)?;
                    parts.push(self.as_number(part)?);
                }
                let words = format!("a part of {}", parts[0].beside());
                Ok(Read::new(format!("substr({})", listed(&parts)), words, Kind::Text).with(&parts.iter().collect::<Vec<_>>()))
            }
            Expr::Trim { trim_where: None, trim_what: None, expr, trim_characters: None } => {
                let text = self.expr(expr)?;
                let text = self.as_text(text);
                Ok(Read { sql: format!("trim({})", text.sql), origin: None, constant: None, ..text })
            }
            Expr::Interval(_) => refused("INTERVAL is not available: use date(x, '+7 days')"),
            other => refused(format!("this form is not available: {}", chat::text::shorten(&other.to_string(), 80))),
        }
    }

    fn rounded(&mut self, name: &str, expr: &Expr, field: &CeilFloorKind) -> Result<Read, SqlError> {
        if !matches!(field, CeilFloorKind::DateTimeField(DateTimeField::NoDateTime)) {
            return refused(format!("{name} takes one number"));
        }
        let number = self.expr(expr)?;
        let number = self.as_number(number)?;
        let style = number.style.clone();
        Ok(Read {
            style,
            ..Read::new(format!("{name}({})", number.sql), format!("{name}({})", number.words), Kind::Number).with(&[&number])
        })
    }

    fn unary(&mut self, op: UnaryOperator, expr: &Expr) -> Result<Read, SqlError> {
        let read = self.expr(expr)?;
        match op {
            UnaryOperator::Not => {
                let words = match read.origin {
                    Some(_) if read.kind == Kind::Checkbox => words::ticked(&read, false),
                    _ => format!("not ({})", read.words),
                };
                let mut not = Read::new(format!("NOT ({})", read.sql), words, Kind::Checkbox).with(&[&read]);
                // What said what a cell is says what it is not, and the other way round.
                std::mem::swap(&mut not.blanks, &mut not.equals);
                not.blanks.extend(read.origin.and_then(|o| o.column).filter(|_| read.kind == Kind::Checkbox));
                not.blanks.dedup();
                Ok(not)
            }
            UnaryOperator::Minus => match read.constant {
                Some(Constant::Number(n)) => Ok(Read::number(-n, format!("-{}", read.sql))),
                _ => {
                    let number = self.as_number(read)?;
                    let style = number.style.clone();
                    Ok(Read {
                        style,
                        ..Read::new(format!("-({})", number.sql), format!("-{}", number.beside()), Kind::Number).with(&[&number])
                    })
                }
            },
            UnaryOperator::Plus => self.as_number(read),
            other => refused(format!("the sign {other} is not available")),
        }
    }

    fn binary(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<Read, SqlError> {
        let how = match op {
            BinaryOperator::Eq => Comparison::Equal,
            BinaryOperator::NotEq => Comparison::NotEqual,
            BinaryOperator::Lt => Comparison::Less,
            BinaryOperator::LtEq => Comparison::LessOrEqual,
            BinaryOperator::Gt => Comparison::Greater,
            BinaryOperator::GtEq => Comparison::GreaterOrEqual,
            BinaryOperator::And | BinaryOperator::Or => return self.joined(left, op, right),
            BinaryOperator::StringConcat => {
                let (a, b) = (self.expr(left)?, self.expr(right)?);
                let (a, b) = (self.as_text(a), self.as_text(b));
                let words = format!("{} followed by {}", a.beside(), b.beside());
                return Ok(Read { loose: true, ..Read::new(format!("({} || {})", a.sql, b.sql), words, Kind::Text).with(&[&a, &b]) });
            }
            BinaryOperator::Glob => {
                let (a, b) = (self.expr(left)?, self.expr(right)?);
                let a = self.as_text(a);
                return Ok(Read::new(format!("{} GLOB {}", a.sql, b.sql), format!("{} is like {}", a.beside(), b.words), Kind::Checkbox)
                    .with(&[&a]));
            }
            BinaryOperator::Regexp | BinaryOperator::Match => return refused("regular expressions are not available: use LIKE or GLOB"),
            _ => return self.arithmetic(left, op, right),
        };
        self.comparison(left, how, right)
    }

    fn comparison(&mut self, left: &Expr, how: Comparison, right: &Expr) -> Result<Read, SqlError> {
        let (a, b) = (self.expr(left)?, self.expr(right)?);
        match (a.is_null() || b.is_null(), how) {
            (true, Comparison::Same) => Ok(self.is_null(if a.is_null() { b } else { a }, false)),
            (true, Comparison::NotSame) => Ok(self.is_null(if a.is_null() { b } else { a }, true)),
            (true, Comparison::Equal | Comparison::NotEqual) => refused("nothing equals NULL: write IS NULL or IS NOT NULL"),
            _ => self.compare(a, how, b),
        }
    }

    fn joined(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<Read, SqlError> {
        let (a, b) = (self.expr(left)?, self.expr(right)?);
        let (sign, words) = match op {
            BinaryOperator::Or => ("OR", words::either(&a, &b)),
            _ => ("AND", Read::new(String::new(), format!("{} and {}", a.beside(), b.beside()), Kind::Checkbox)),
        };
        Ok(Read { sql: format!("({} {sign} {})", a.sql, b.sql), ..words.with(&[&a, &b]) })
    }

    fn arithmetic(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<Read, SqlError> {
        let (a, b) = (self.expr(left)?, self.expr(right)?);
        let is_day = |r: &Read| matches!(r.kind, Kind::Day | Kind::Moment);
        if matches!(op, BinaryOperator::Plus | BinaryOperator::Minus) && (is_day(&a) || is_day(&b)) {
            return self.shifted(a, *op == BinaryOperator::Minus, b);
        }
        let (a, b) = (self.as_number(a)?, self.as_number(b)?);
        let words = format!("{} {op} {}", a.beside(), b.beside());
        let (sql, style) = match op {
            BinaryOperator::Plus | BinaryOperator::Minus => {
                // Money plus money is money; what a plain number does to it nobody knows.
                let style = if a.style == b.style { a.style.clone() } else { Style::Plain };
                (format!("({} {op} {})", a.sql, b.sql), style)
            }
            BinaryOperator::Multiply | BinaryOperator::Modulo => (format!("({} {op} {})", a.sql, b.sql), Style::Plain),
            // Shares of whole numbers are no whole numbers.
            BinaryOperator::Divide => (format!("(CAST({} AS REAL) / {})", a.sql, b.sql), Style::Plain),
            other => return refused(format!("the sign {other} is not available")),
        };
        Ok(Read { loose: true, style, ..Read::new(sql, words, Kind::Number).with(&[&a, &b]) })
    }

    fn truth(&mut self, expr: &Expr, sql: &str, yes: bool) -> Result<Read, SqlError> {
        let read = self.expr(expr)?;
        let words =
            if read.origin.is_some() { words::ticked(&read, yes) } else { format!("{}({})", if yes { "" } else { "not " }, read.words) };
        Ok(Read::new(format!("({}) {sql}", read.sql), words, Kind::Checkbox).with(&[&read]))
    }

    fn like(&mut self, negated: bool, expr: &Expr, pattern: &Expr, escape: Option<&Expr>) -> Result<Read, SqlError> {
        let (read, pattern) = (self.expr(expr)?, self.expr(pattern)?);
        let escape = escape.map(|sign| self.expr(sign)).transpose()?;
        if escape.is_none()
            && let Some(below) = self.below(&read, negated, &pattern)
        {
            return Ok(below);
        }
        let blank = self.blank_of(&read);
        let read = self.as_text(read);
        let sign = escape.as_ref().and_then(|escape| match &escape.constant {
            Some(Constant::Text(sign)) => sign.chars().next(),
            _ => None,
        });
        if let (Some(Constant::Text(text)), None) = (&pattern.constant, sign) {
            self.remember_pattern(&read, text);
        }
        let not = if negated { "NOT " } else { "" };
        let words = words::pattern(&read, negated, &pattern, sign);
        let escape = escape.map(|escape| format!(" ESCAPE {}", escape.sql)).unwrap_or_default();
        let how = if negated { Comparison::NotEqual } else { Comparison::Equal };
        let like = Read::new(format!("{} {not}LIKE {}{escape}", read.sql, pattern.sql), words, Kind::Checkbox).with(&[&read, &pattern]);
        Ok(like.held(how, blank))
    }

    fn case(&mut self, operand: Option<&Expr>, conditions: &[CaseWhen], otherwise: Option<&Expr>) -> Result<Read, SqlError> {
        let operand = operand.map(|e| self.expr(e)).transpose()?;
        let mut branches = Vec::new();
        for CaseWhen { condition, result } in conditions {
            let condition = self.expr(condition)?;
            let condition = match &operand {
                Some(operand) => self.compare(operand.clone(), Comparison::Equal, condition)?,
                None => condition,
            };
            branches.push((condition, self.expr(result)?));
        }
        let otherwise = otherwise.map(|e| self.expr(e)).transpose()?;
        let whens: String = branches.iter().map(|(condition, result)| format!(" WHEN {} THEN {}", condition.sql, result.sql)).collect();
        let last = otherwise.as_ref().map(|o| format!(" ELSE {}", o.sql)).unwrap_or_default();
        Ok(Read {
            words: "a value that depends on the row".into(),
            ..chosen(format!("CASE{whens}{last} END"), &branches, otherwise.as_ref())
        })
    }

    fn cast(&mut self, expr: &Expr, to: &DataType) -> Result<Read, SqlError> {
        let read = self.expr(expr)?;
        let name = to.to_string().to_uppercase();
        let begins = |words: &[&str]| words.iter().any(|w| name.starts_with(w));
        if begins(&["INT", "BIGINT", "SMALLINT", "TINYINT", "UNSIGNED", "SIGNED"]) {
            let number = self.as_number(read)?;
            return Ok(Read { sql: format!("CAST({} AS INTEGER)", number.sql), origin: None, constant: None, ..number });
        }
        if begins(&["REAL", "FLOAT", "DOUBLE", "NUMERIC", "DECIMAL", "DEC", "NUMBER"]) {
            let number = self.as_number(read)?;
            return Ok(Read { sql: format!("CAST({} AS REAL)", number.sql), constant: None, ..number });
        }
        if begins(&["TEXT", "VARCHAR", "CHAR", "NVARCHAR", "STRING", "CLOB"]) {
            let text = self.as_text(read);
            return Ok(Read { sql: format!("CAST({} AS TEXT)", text.sql), kind: Kind::Text, ..text });
        }
        match name.as_str() {
            "DATE" => self.date_function("date", vec![read]),
            "DATETIME" | "TIMESTAMP" => self.date_function("datetime", vec![read]),
            _ => refused(format!("CAST AS {to} is not available: use INTEGER, REAL, TEXT or DATE")),
        }
    }
}

fn constant(value: &Value) -> Result<Read, SqlError> {
    match value {
        Value::Number(digits, _) => match digits.parse::<f64>() {
            Ok(n) if n.is_finite() => Ok(Read::number(n, digits.clone())),
            _ => refused(format!("{digits} is not a number")),
        },
        Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) | Value::NationalStringLiteral(text) => {
            Ok(Read::text(&super::super::typed::normal(text)))
        }
        Value::Boolean(yes) => {
            let n = f64::from(u8::from(*yes));
            Ok(Read { kind: Kind::Checkbox, ..Read::number(n, plain(n)) })
        }
        Value::Null => Ok(Read { constant: Some(Constant::Null), ..Read::new("NULL", "empty", Kind::Any) }),
        other => refused(format!("{other} is not available: write numbers, 'texts' and NULL")),
    }
}
