//! Queries: their tables, their columns, what is grouped and in which order.

use super::super::cell::Style;
use super::super::groups::marker;
use super::from::{bare, renamed, source_of};
use super::left_out::{CARRIED_ROW, Parts};
use super::read::{Constant, Kind, Part, Read, Reader, name};
use super::scope::{Scope, Source};
use super::words;
use super::{Output, SqlError, Table, refused};
use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, Ident, JoinConstraint, LimitClause, OrderBy, Query, Select, SelectFlavor, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, TopQuantity,
};

/// The query as it runs, and what it brings.
pub(super) struct Outer {
    pub sql: String,
    pub columns: Vec<Output>,
    pub filter: Option<String>,
    pub table: Table,
    pub limit: Option<usize>,
    pub offset: usize,
}

/// A query inside another, or the whole.
pub(super) struct Compiled {
    pub sql: String,
    pub items: Vec<Item>,
    pub about: About,
    /// Whether each row tells which row of the sheet it is, in [`CARRIED_ROW`].
    pub carries_rows: bool,
    pub limit: Option<usize>,
    pub offset: usize,
}

/// A column of a result.
pub(super) struct Item {
    pub name: String,
    /// Whether whoever wrote the query gave it this name.
    pub named: bool,
    pub read: Read,
}

/// Which rows a query is about.
#[derive(Clone, Default)]
pub(super) struct About {
    pub table: Table,
    pub filter: Option<String>,
}

/// Where a query stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Outermost,
    /// A table of another query.
    Table,
    /// A value, a list, or a part of `UNION`.
    Inside,
}

impl Reader<'_> {
    pub fn outermost(&mut self, query: &Query) -> Result<Outer, SqlError> {
        let Compiled { sql, items, about, limit, offset, .. } = self.query(query, Place::Outermost)?;
        let columns = items.into_iter().map(|item| self.output(item)).collect();
        Ok(Outer { sql, columns, filter: about.filter, table: about.table, limit, offset })
    }

    /// A query inside an expression, which brings its first column: what runs, with words for its rows, and the words of what it brings.
    pub fn inner_query(&mut self, query: &Query) -> Result<(Read, String), SqlError> {
        let compiled = self.query(query, Place::Inside)?;
        let Some(first) = compiled.items.first() else { return refused("a query inside another wants a column") };
        let words = compiled.about.filter.map_or_else(|| "the sheet".to_owned(), |f| format!("the rows where {f}"));
        let brings = first.read.words.clone();
        Ok((Read { style: first.read.style.clone(), ..Read::new(compiled.sql, words, first.read.kind) }, brings))
    }

    fn output(&self, item: Item) -> Output {
        let shows = self.main(&item.read);
        let title = match (shows, item.named) {
            (Some((_, column)), named) if !named || item.name == column.sql => column.title.clone(),
            (_, true) => words::title(&item.name),
            (_, false) => words::title(&item.read.words),
        };
        let is_row_id = item.read.origin.is_some_and(|o| o.part == Part::RowId);
        let checkbox = shows.is_some() && item.read.kind == Kind::Checkbox;
        Output { name: item.name, title, style: item.read.style, column: shows.map(|(at, _)| at), is_row_id, checkbox }
    }

    pub fn query(&mut self, query: &Query, place: Place) -> Result<Compiled, SqlError> {
        self.deeper(|reader| reader.query_form(query, place))
    }

    fn query_form(&mut self, query: &Query, place: Place) -> Result<Compiled, SqlError> {
        let Query { with, body, order_by, limit_clause, fetch, locks, for_clause, settings, format_clause, pipe_operators } = query;
        if fetch.is_some()
            || !locks.is_empty()
            || for_clause.is_some()
            || settings.is_some()
            || format_clause.is_some()
            || !pipe_operators.is_empty()
        {
            return refused("only WITH, SELECT, ORDER BY and LIMIT are available; locking and other clauses are not");
        }
        let (named, defined) = (self.named.len(), self.defined.len());
        if let Some(with) = with {
            if with.recursive {
                return refused("WITH RECURSIVE is not available: level, path and top tell where a row stands");
            }
            for cte in &with.cte_tables {
                let alias = cte.alias.name.value.clone();
                let columns: Vec<&Ident> = cte.alias.columns.iter().map(|c| &c.name).collect();
                // Names in brackets are those of all columns.
                let compiled = self.query(&cte.query, if columns.is_empty() { Place::Table } else { Place::Inside })?;
                self.defined.push(format!("{}{} AS ({})", name(&alias), renamed(&columns), compiled.sql));
                let source = source_of(&alias, compiled, &columns);
                self.named.push(source);
            }
        }
        let mut compiled = self.body(body, order_by.as_ref(), place)?;
        let (limit, offset) = self.limits(limit_clause.as_ref())?;
        compiled.limit = compiled.limit.or(limit);
        compiled.offset = offset;
        if self.defined.len() > defined {
            compiled.sql = format!("WITH {} {}", self.defined[defined..].join(", "), compiled.sql);
        }
        if place != Place::Outermost && (compiled.limit.is_some() || compiled.offset > 0) {
            let limit = compiled.limit.map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX));
            compiled.sql.push_str(&format!(" LIMIT {limit} OFFSET {}", compiled.offset));
        }
        self.named.truncate(named);
        self.defined.truncate(defined);
        Ok(compiled)
    }

    fn limits(&mut self, clause: Option<&LimitClause>) -> Result<(Option<usize>, usize), SqlError> {
        let mut count = |expr: &Expr| match self.expr(expr)?.constant {
            Some(Constant::Number(n)) if n >= 0.0 && n.fract() == 0.0 => Ok(n as usize),
            _ => refused("LIMIT and OFFSET take whole numbers"),
        };
        match clause {
            None => Ok((None, 0)),
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => {
                let limit = limit.as_ref().map(&mut count).transpose()?;
                Ok((limit, offset.as_ref().map(|o| count(&o.value)).transpose()?.unwrap_or(0)))
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => Ok((Some(count(limit)?), count(offset)?)),
            Some(LimitClause::LimitOffset { .. }) => refused("LIMIT … BY is not available"),
        }
    }

    fn body(&mut self, body: &SetExpr, order: Option<&OrderBy>, place: Place) -> Result<Compiled, SqlError> {
        match body {
            SetExpr::Select(select) => self.select(select, order, place),
            SetExpr::Query(inner) => {
                let compiled = self.query(inner, Place::Inside)?;
                if order.is_some() {
                    return refused("write ORDER BY inside the brackets");
                }
                Ok(Compiled { sql: format!("SELECT * FROM ({})", compiled.sql), ..compiled })
            }
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let all = match set_quantifier {
                    SetQuantifier::All => " ALL",
                    SetQuantifier::None | SetQuantifier::Distinct => "",
                    _ => return refused("UNION BY NAME is not available"),
                };
                let sign = match op {
                    SetOperator::Union => "UNION",
                    SetOperator::Except | SetOperator::Minus => "EXCEPT",
                    SetOperator::Intersect => "INTERSECT",
                };
                let (first, second) = (self.body(left, None, Place::Inside)?, self.body(right, None, Place::Inside)?);
                if first.items.len() != second.items.len() {
                    return refused(format!("both sides of {sign} want the same number of columns"));
                }
                let mut sql = format!("{} {sign}{all} {}", first.sql, second.sql);
                let items: Vec<Item> = first.items.into_iter().zip(&second.items).map(|(a, b)| met(a, b)).collect();
                if let Some(order) = order {
                    let by = self.order_by(order, &items)?;
                    sql.push_str(&format!(" ORDER BY {}", super::function::listed(&by)));
                }
                let about = About { table: Table::Other, filter: Some("several queries together".into()) };
                Ok(Compiled { sql, items, about, carries_rows: false, limit: None, offset: 0 })
            }
            _ => refused("only SELECT is allowed"),
        }
    }

    fn select(&mut self, select: &Select, order: Option<&OrderBy>, place: Place) -> Result<Compiled, SqlError> {
        only_what_is_offered(select)?;
        let limit = match &select.top {
            None => None,
            Some(top) => match &top.quantity {
                Some(TopQuantity::Constant(n)) if !top.percent && !top.with_ties => usize::try_from(*n).ok(),
                _ => return refused("TOP takes a whole number"),
            },
        };
        let outer = std::mem::replace(&mut self.lowest, usize::MAX);
        let (from, sources, joins) = self.tables(select)?;
        let aliases = select.projection.iter().filter_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } => Some((alias.value.to_lowercase(), expr.clone())),
            _ => None,
        });
        self.scopes.push(Scope { aliases: aliases.collect(), sources });
        let depth = self.scopes.len() - 1;
        let read = self.clauses(select, order, place, from, &joins);
        let scope = self.scopes.pop().unwrap_or_default();
        let correlated = self.lowest < depth;
        self.lowest = self.lowest.min(outer);
        let Clauses { sql, items, carries_rows, condition, figures, having, joined, order, from } = read?;
        let one = if let [one] = scope.sources.as_slice() { Some(one) } else { None };
        let alias = one.map(|s| s.alias.clone()).unwrap_or_default();
        let rows = one.filter(|_| !correlated).and_then(Source::row_numbers);
        self.note_left_out(&Parts { condition: condition.as_ref(), figures: &figures, order: &order, from: &from, rows, alias: &alias });
        let grouped = having.map(|h| format!("of these the groups where {}", h.words));
        let own = both(condition.map(|c| c.words), grouped);
        let about = match one {
            Some(one) => About { table: one.rows_of, filter: both(one.filter.clone(), own) },
            None => About { table: Table::Other, filter: both(Some(words::together(&joined)), own) },
        };
        Ok(Compiled { sql, items, about, carries_rows, limit, offset: 0 })
    }

    fn clauses(
        &mut self,
        select: &Select,
        order: Option<&OrderBy>,
        place: Place,
        mut from: String,
        joins: &[(usize, JoinConstraint)],
    ) -> Result<Clauses, SqlError> {
        let mut joined = Vec::new();
        for (at, constraint) in joins.iter().rev() {
            if let Some(condition) = self.constraint(constraint)? {
                from.insert_str(*at, &format!(" ON {}", condition.sql));
                joined.insert(0, condition.words);
            }
        }
        let condition = select.selection.as_ref().map(|c| self.expr(c)).transpose()?;
        if condition.as_ref().is_some_and(|c| c.aggregate) {
            return refused("figures cannot stand in WHERE: use HAVING, or a query inside");
        }
        if let (Some(selection), Place::Outermost) = (&select.selection, place) {
            self.note_demands(selection, &from)?;
        }
        let mut items = self.items(&select.projection, place)?;
        let GroupByExpr::Expressions(by, modifiers) = &select.group_by else { return refused("GROUP BY ALL is not available") };
        if !modifiers.is_empty() {
            return refused("GROUP BY takes columns only");
        }
        let groups = self.groups(by, &items)?;
        let distinct = match &select.distinct {
            None | Some(Distinct::All) => false,
            Some(Distinct::Distinct) => true,
            Some(Distinct::On(_)) => return refused("DISTINCT ON is not available: use GROUP BY"),
        };
        // Groups and different values are those of all cells, texts among numbers included.
        for item in &mut items {
            let key = groups.keys.iter().any(|k| k.is_some() && *k == item.read.origin.and_then(|o| o.column));
            if (distinct || key) && item.read.origin.is_some_and(|o| o.part == Part::Main) && !item.read.aggregate {
                item.read = self.with_texts(item.read.clone());
            }
        }
        if groups.sql.is_empty() {
            no_value_of_just_any_row(&items)?;
        }
        let having = select.having.as_ref().map(|h| self.expr(h)).transpose()?;
        let plain = groups.sql.is_empty() && !distinct && having.is_none() && !items.iter().any(|i| i.read.aggregate);
        let base = match self.scopes.last().map(|s| s.sources.as_slice()) {
            Some([Source { table: Table::Sheet | Table::Leaf, alias, .. }]) => Some(alias.clone()),
            _ => None,
        };
        let indexed = base.as_ref().zip(groups.keys.first().copied().flatten().filter(|c| self.snapshot.columns[*c].strays == 0));
        let indexed = indexed.filter(|_| groups.keys.len() == 1).map(|(alias, column)| {
            self.grouped.push(column);
            format!("{}.{}", name(alias), marker(column))
        });
        let list_of = base.filter(|_| plain);
        if let (Some(alias), Place::Outermost) = (&list_of, place)
            && !items.iter().any(|i| i.name == "row_id")
        {
            let read = self.column(Some(alias), "row_id")?;
            items.push(Item { name: "row_id".into(), named: false, read });
        }
        let mut by = order.map(|o| self.order_by(o, &items)).transpose()?.unwrap_or_default();
        if let Some(alias) = &list_of
            && (place == Place::Outermost || !by.is_empty())
        {
            by.push(Read::new(format!("{}.row_number", name(alias)), "", Kind::Number));
        }
        let mut list: Vec<String> = items.iter().map(|i| format!("{} AS {}", i.read.sql, name(&i.name))).collect();
        let row = match self.scopes.last().map(|s| s.sources.as_slice()) {
            Some([one]) if plain && place == Place::Table => one.row_numbers().map(|rows| rows.sql(&one.alias)),
            _ => None,
        };
        list.extend(row.iter().map(|row| format!("{row} AS {}", name(CARRIED_ROW))));
        let condition_sql = condition.as_ref().map(|c| c.sql.as_str());
        let holds = match (condition_sql, indexed) {
            (Some(condition), Some(indexed)) => Some(format!("({condition}) AND {indexed}")),
            (condition, indexed) => condition.map(str::to_owned).or(indexed),
        };
        let mut sql = format!("SELECT {}{} FROM {from}", if distinct { "DISTINCT " } else { "" }, list.join(", "));
        if from.is_empty() {
            sql.truncate(sql.len() - " FROM ".len());
        }
        for (word, text) in [
            (" WHERE ", holds),
            (" GROUP BY ", (!groups.sql.is_empty()).then(|| groups.sql.join(", "))),
            (" HAVING ", having.as_ref().map(|h| h.sql.clone())),
            (" ORDER BY ", (!by.is_empty()).then(|| super::function::listed(&by))),
        ] {
            if let Some(text) = text {
                sql.push_str(word);
                sql.push_str(&text);
            }
        }
        // A cell that is shown as it stands leaves nothing out.
        let figures = items.iter().filter(|i| i.read.origin.is_none() || i.read.aggregate).map(|i| i.read.clone());
        let figures = figures.chain(having.clone()).collect();
        Ok(Clauses { sql, figures, items, carries_rows: row.is_some(), condition, having, joined, order: by, from })
    }

    fn items(&mut self, projection: &[SelectItem], place: Place) -> Result<Vec<Item>, SqlError> {
        let mut items = Vec::new();
        for item in projection {
            match item {
                SelectItem::UnnamedExpr(expr) => {
                    let read = self.expr(expr)?;
                    let own = match (&read.origin, expr) {
                        (Some(_), Expr::Identifier(_) | Expr::CompoundIdentifier(_)) => self.field_name(&read),
                        _ => None,
                    };
                    items.push(Item { name: own.unwrap_or_else(|| expr.to_string()), named: false, read });
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    items.push(Item { name: alias.value.clone(), named: true, read: self.expr(expr)? });
                }
                SelectItem::Wildcard(_) => self.all_columns(None, place, &mut items)?,
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(table), _) => {
                    self.all_columns(Some(&bare(table)), place, &mut items)?;
                }
                _ => return refused("this way of naming columns is not available"),
            }
        }
        Ok(items)
    }

    /// The name in SQL of a column that is read as it stands.
    fn field_name(&self, read: &Read) -> Option<String> {
        read.sql.rsplit_once('.').map(|(_, field)| field.trim_matches('"').to_owned())
    }

    /// `*`: of the sheet what people see; of other queries, and inside them, all there is.
    fn all_columns(&mut self, table: Option<&str>, place: Place, items: &mut Vec<Item>) -> Result<(), SqlError> {
        let sources = self.scopes.last().map(|s| s.sources.clone()).unwrap_or_default();
        let mut some = false;
        for source in sources.iter().filter(|s| table.is_none_or(|t| s.alias.eq_ignore_ascii_case(t))) {
            some = true;
            for field in &source.fields {
                let of_sheet = field.origin.is_some_and(|o| o.part == Part::Main && o.column.is_some());
                if place != Place::Outermost || source.table == Table::Other || of_sheet {
                    items.push(Item { name: field.name.clone(), named: false, read: self.column(Some(&source.alias), &field.name)? });
                }
            }
        }
        if some { Ok(()) } else { refused("* wants a table: FROM sheet or FROM leaf") }
    }

    /// A column with the texts among its values.
    pub fn with_texts(&self, read: Read) -> Read {
        let Some(texts) = self.main(&read).and_then(|(_, c)| Some(self.texts_beside(&read.sql, &c.sql, c.text_sql.as_ref()?))) else {
            return read;
        };
        Read { sql: format!("COALESCE({}, {texts})", read.sql), uses: Vec::new(), ..read }
    }
}

/// The clauses of a `SELECT`, read.
struct Clauses {
    sql: String,
    items: Vec<Item>,
    carries_rows: bool,
    condition: Option<Read>,
    figures: Vec<Read>,
    having: Option<Read>,
    /// The conditions of joins, in words.
    joined: Vec<String>,
    order: Vec<Read>,
    from: String,
}

/// Beside a figure over all rows a column would show the value of just any of them. Only the one of `MIN` and `MAX` is known.
fn no_value_of_just_any_row(items: &[Item]) -> Result<(), SqlError> {
    let figures: Vec<&Item> = items.iter().filter(|item| item.read.aggregate).collect();
    let extreme = |item: &Item| item.read.sql.starts_with("max(") || item.read.sql.starts_with("min(");
    let loose = items.iter().find(|item| item.read.of_row);
    match (figures.as_slice(), loose) {
        ([], _) | (_, None) => Ok(()),
        ([one], Some(_)) if extreme(one) => Ok(()),
        (_, Some(both)) if both.read.aggregate => refused(format!(
            "{} takes a column and a figure over all rows together: put the figure into a query of its own, such as (SELECT AVG(x) FROM leaf)",
            both.name
        )),
        (_, Some(loose)) => refused(format!("{0} stands beside a figure over all rows: add GROUP BY {0}, or leave it out", loose.name)),
    }
}

fn only_what_is_offered(select: &Select) -> Result<(), SqlError> {
    if select.into.is_some() {
        return refused("SELECT INTO is not allowed");
    }
    let more = !select.lateral_views.is_empty()
        || select.prewhere.is_some()
        || !select.connect_by.is_empty()
        || !select.cluster_by.is_empty()
        || !select.distribute_by.is_empty()
        || !select.sort_by.is_empty()
        || !select.named_window.is_empty()
        || select.qualify.is_some()
        || select.exclude.is_some()
        || select.value_table_mode.is_some()
        || select.select_modifiers.is_some()
        || select.flavor != SelectFlavor::Standard;
    if more { refused("a SELECT has FROM, WHERE, GROUP BY, HAVING and ORDER BY, nothing else") } else { Ok(()) }
}

/// A column of two queries together.
fn met(mut first: Item, second: &Item) -> Item {
    if first.read.kind != second.read.kind {
        first.read.kind = Kind::Any;
    }
    if first.read.style != second.read.style {
        first.read.style = Style::Plain;
    }
    first.read.origin = None;
    first
}

fn both(first: Option<String>, second: Option<String>) -> Option<String> {
    match (first, second) {
        (Some(a), Some(b)) => Some(format!("{a} and {b}")),
        (a, b) => a.or(b),
    }
}
